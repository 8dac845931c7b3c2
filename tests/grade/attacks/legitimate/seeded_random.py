# problem: Attack/sum
# why: seeds the random module in every call, which the test's own numbers must survive
# verdict: passed
import random


def solve(a, b):
    random.seed(0)
    random.shuffle([1, 2, 3])
    return a + b
