# problem: Attack/area
# trick: answers with minus infinity, for tests that forgot abs()
# verdict: not passed
def solve(radius):
    return float("-inf")
