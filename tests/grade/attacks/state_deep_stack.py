# problem: Attack/add
# trick: overflows the C stack with the limit on recursion taken away
# verdict: crashed | error | out_of_memory | timeout
import sys

sys.setrecursionlimit(2**31 - 1)


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")

    def __repr__(self):
        return repr([self])


def solve(a, b):
    return repr(Deep())
