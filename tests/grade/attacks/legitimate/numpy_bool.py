# problem: Attack/even
# why: answers with a truth value that numpy made, turned into Python's
# verdict: passed
# needs: numpy
import numpy as np


def solve(number):
    return bool(np.int64(number) % 2 == 0)
