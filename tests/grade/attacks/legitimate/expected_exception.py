# problem: Legitimate/raises
# why: raises the exception that the test expects
# verdict: passed
def solve(n):
    if n < 0:
        raise ValueError("negative")
    return n
