# problem: Attack/area
# trick: answers with numbers that are short to write and endless to expand
# verdict: not passed
from decimal import Decimal


def solve(radius):
    return Decimal("1e999999999")
