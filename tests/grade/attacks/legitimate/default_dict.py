# problem: Legitimate/count
# why: answers with a defaultdict where a dict is expected
# verdict: passed
from collections import defaultdict


def solve(text):
    counts = defaultdict(lambda: 0)
    for letter in text:
        counts[letter] += 1
    return counts
