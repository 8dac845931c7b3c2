# problem: Attack/add
# trick: sends itself SIGTERM, as if somebody had ended the run
# verdict: crashed | error | wrong
import os
import signal


def solve(a, b):
    os.kill(os.getpid(), signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
