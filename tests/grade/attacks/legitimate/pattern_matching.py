# problem: Attack/add
# why: uses patterns, walrus and stars
# verdict: passed
def solve(*numbers):
    match numbers:
        case [int() as first, *rest] if (total := sum(rest)) is not None:
            return first + total
    return None
