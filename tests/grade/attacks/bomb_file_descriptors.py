# problem: Attack/add
# trick: opens files until there are no descriptors left
# verdict: not passed
import os


def solve(a, b):
    while True:
        try:
            os.open("/dev/null", os.O_RDONLY)
        except OSError:
            return None
