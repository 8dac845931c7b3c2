# problem: Attack/add
# trick: raises an exception with a text of 100 MB
# verdict: not passed
def solve(a, b):
    raise ValueError("x" * 10**8)
