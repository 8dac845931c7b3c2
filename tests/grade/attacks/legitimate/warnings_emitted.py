# problem: Attack/add
# why: warns, at compile time and at run time
# verdict: passed
import warnings


def solve(a, b):
    pattern = "\d"
    warnings.warn("old", DeprecationWarning)
    assert pattern
    return a + b
