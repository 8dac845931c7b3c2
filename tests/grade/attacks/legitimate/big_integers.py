# problem: Legitimate/power
# why: answers with integers far beyond the limit on printed digits
# verdict: passed
def solve(n):
    return 2**n
