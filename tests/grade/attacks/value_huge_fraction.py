# problem: Attack/add
# trick: answers with a Fraction of endless digits
# verdict: not passed
from fractions import Fraction


def solve(a, b):
    return Fraction(3**10**6, 2**10**6)
