# problem: Attack/add
# why: counts with numpy and answers with a number of Python's
# verdict: passed
# needs: numpy
import numpy as np


def solve(a, b):
    return int(np.sum(np.array([a, b], dtype=object)))
