# problem: Attack/add
# trick: overflows the C stack with a deeply nested tuple, when it is compared or freed
# verdict: not passed
import sys

sys.setrecursionlimit(10**6)


def solve(a, b):
    left = right = ()
    for _ in range(10**6):
        left, right = (left,), (right,)
    return left == right
