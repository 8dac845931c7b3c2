# problem: Attack/sum
# why: the entry point is a partial
# verdict: passed
import functools
import operator


def combine(operation, a, b):
    return operation(a, b)


solve = functools.partial(combine, operator.add)
