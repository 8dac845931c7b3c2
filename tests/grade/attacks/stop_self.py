# problem: Attack/add
# trick: stops its own process, so that it neither runs nor ends
# verdict: timeout | error | wrong | crashed
import os
import signal


def solve(a, b):
    os.kill(os.getpid(), signal.SIGSTOP)
