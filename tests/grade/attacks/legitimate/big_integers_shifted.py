# problem: Legitimate/power
# why: builds big integers bit by bit and prints one, with the limit on digits raised
# verdict: passed
import sys

sys.set_int_max_str_digits(0)


def solve(n):
    value = 1 << n
    print(value)
    return value
