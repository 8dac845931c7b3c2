# problem: Attack/add
# trick: kills its process group
# verdict: not passed
# needs: isolation
import os
import signal


def solve(a, b):
    os.killpg(0, signal.SIGKILL)
