# problem: Attack/add
# trick: loops in C
# verdict: timeout
def solve(a, b):
    return sum(range(10**15))
