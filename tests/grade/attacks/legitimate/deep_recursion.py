# problem: Legitimate/depth
# why: recurses twenty thousand deep with a raised limit
# verdict: passed
import sys

sys.setrecursionlimit(10**6)


def solve(n):
    return 0 if n == 0 else n + solve(n - 1)
