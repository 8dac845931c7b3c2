# problem: Attack/add
# trick: raises an exception with a circle of causes and a group nested deep
# verdict: not passed
def solve(a, b):
    error = ValueError("x")
    other = KeyError("y")
    error.__cause__, other.__cause__ = other, error
    for _ in range(5000):
        error = ExceptionGroup("deep", [error])
    raise error
