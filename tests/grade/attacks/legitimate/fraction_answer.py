# problem: Legitimate/half
# why: answers with a Fraction where a float is expected
# verdict: passed
from fractions import Fraction


def solve(n):
    return Fraction(n, 2)
