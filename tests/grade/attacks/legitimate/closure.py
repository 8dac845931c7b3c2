# problem: Legitimate/calls
# why: counts its calls in a closure
# verdict: passed
def make():
    count = 0

    def step():
        nonlocal count
        count += 1
        return count

    return step


solve = make()
