# problem: Legitimate/calls
# why: counts its calls in a global, as the test asks
# verdict: passed
calls = 0


def solve():
    global calls
    calls += 1
    return calls
