# problem: Attack/add
# trick: does not parse
# verdict: error | crashed
def solve(a, b:
    return a + b
