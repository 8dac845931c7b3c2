# problem: Attack/add
# trick: answers with a string of 100 MB
# verdict: not passed
def solve(a, b):
    return "x" * 10**8
