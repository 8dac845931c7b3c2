# problem: Attack/add
# trick: reads a pipe that nobody writes to
# verdict: timeout
import os


def solve(a, b):
    return os.read(os.pipe()[0], 1)
