# problem: Attack/sum
# why: caches its answers
# verdict: passed
import functools


@functools.lru_cache(maxsize=None)
def solve(a, b):
    return a if b == 0 else solve(a + 1, b - 1) if b % 50 else a + b
