# problem: Legitimate/half
# why: answers with a Decimal where a float is expected
# verdict: passed
from decimal import Decimal, getcontext

getcontext().prec = 50


def solve(n):
    return Decimal(n) / 2
