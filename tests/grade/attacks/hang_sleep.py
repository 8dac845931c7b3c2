# problem: Attack/add
# trick: sleeps
# verdict: timeout
import time


def solve(a, b):
    time.sleep(3600)
