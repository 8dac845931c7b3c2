# problem: Attack/sum
# why: works in a pool of threads that it never shuts down
# verdict: passed
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(4)


def solve(a, b):
    return sum(pool.map(int, [a, b]))
