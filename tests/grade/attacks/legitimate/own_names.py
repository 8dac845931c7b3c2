# problem: Attack/add
# why: has names that a harness could use itself: check, candidate, test, result
# verdict: passed
check = candidate = test = result = METADATA = None
list = int = None


def run(*_):
    raise ValueError


def solve(a, b):
    return a + b
