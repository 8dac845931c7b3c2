# problem: Legitimate/deque
# why: answers with a deque
# verdict: passed
from collections import deque


def solve(items):
    rotated = deque(items, maxlen=10)
    rotated.rotate(1)
    return rotated
