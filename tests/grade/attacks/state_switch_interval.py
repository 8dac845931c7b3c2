# problem: Attack/add
# trick: never lets another thread of the process run, and loops
# verdict: timeout
import sys

sys.setswitchinterval(10**6)


def solve(a, b):
    while True:
        pass
