# problem: Attack/add
# trick: prints without end
# verdict: not passed
import sys


def solve(a, b):
    while True:
        sys.stdout.write("x" * 2**20)
