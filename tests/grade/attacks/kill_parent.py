# problem: Attack/add
# trick: kills its parent, and with it the grader
# verdict: not passed
# needs: isolation
import os
import signal


def solve(a, b):
    for pid in (os.getppid(), 1):
        try:
            if pid not in (0, os.getpid()):
                os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
