# problem: Legitimate/count
# why: answers with an OrderedDict where a dict is expected
# verdict: passed
from collections import OrderedDict


def solve(text):
    return OrderedDict((letter, text.count(letter)) for letter in sorted(text, reverse=True))
