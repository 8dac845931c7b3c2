# problem: Attack/group
# why: builds its containers from generators
# verdict: passed
def solve(kind, items):
    letters = (letter for letter in items)
    if kind == "dict":
        return {letter: sum(1 for other in items if other == letter) for letter in items}
    return list(letters) if kind == "list" else tuple(letters) if kind == "tuple" else {*letters}
