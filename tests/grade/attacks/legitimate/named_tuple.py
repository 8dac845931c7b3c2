# problem: Legitimate/pair
# why: answers with a named tuple where a tuple is expected
# verdict: passed
from typing import NamedTuple


class Division(NamedTuple):
    quotient: int
    remainder: int


def solve(a, b):
    return Division(*divmod(a, b))
