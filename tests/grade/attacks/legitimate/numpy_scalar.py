# problem: Attack/area
# why: answers with a scalar of numpy's
# verdict: passed
# needs: numpy
import numpy as np


def solve(radius):
    return np.pi * np.float64(radius) ** 2
