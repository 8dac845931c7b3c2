# problem: Attack/add
# trick: never gets to the end of its exit handlers
# verdict: not passed
import atexit
import time

atexit.register(time.sleep, 3600)


def solve(a, b):
    raise SystemExit
