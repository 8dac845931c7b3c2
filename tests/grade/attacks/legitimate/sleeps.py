# problem: Legitimate/calls
# why: sleeps for a moment
# verdict: passed
import time

calls = []


def solve():
    time.sleep(0.05)
    calls.append(1)
    return len(calls)
