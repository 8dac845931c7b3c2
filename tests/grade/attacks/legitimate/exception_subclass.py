# problem: Legitimate/raises
# why: raises a subclass of its own of the exception that the test expects
# verdict: passed
class Negative(ValueError):
    def __init__(self, n):
        super().__init__(f"{n} is negative")


def solve(n):
    if n < 0:
        raise Negative(n)
    return n
