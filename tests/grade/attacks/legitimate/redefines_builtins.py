# problem: Attack/add
# why: shadows builtins for itself alone
# verdict: passed
def sum(*numbers):
    total = 0
    for number in numbers:
        total = total + number
    return total


def abs(_):
    raise ValueError


len = print = abs


def solve(a, b):
    return sum(a, b)
