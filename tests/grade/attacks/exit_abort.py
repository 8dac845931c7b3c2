# problem: Attack/add
# trick: aborts
# verdict: crashed
import os


def solve(a, b):
    os.abort()
