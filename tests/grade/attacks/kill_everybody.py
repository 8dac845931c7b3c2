# problem: Attack/add
# trick: kills every process that it may
# verdict: not passed
# needs: isolation
import os
import signal


def solve(a, b):
    os.kill(-1, signal.SIGKILL)
