# problem: Legitimate/count
# why: answers with a Counter where a dict is expected
# verdict: passed
from collections import Counter


def solve(text):
    return Counter(text)
