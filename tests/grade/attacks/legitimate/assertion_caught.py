# problem: Attack/add
# why: uses assert for control, and it is not optimised away
# verdict: passed
def solve(a, b):
    try:
        assert a is None
    except AssertionError:
        return a + b
