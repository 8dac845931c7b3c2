# problem: Attack/add
# trick: kills its own process
# verdict: crashed | error | wrong
import os
import signal


def solve(a, b):
    os.kill(os.getpid(), signal.SIGKILL)
