# problem: Attack/own_name
# why: answers with an iterator of the library
# verdict: passed
import itertools


def solve(numbers):
    return itertools.chain(numbers[1:], numbers[:1])
