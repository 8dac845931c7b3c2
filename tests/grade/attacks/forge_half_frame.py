# problem: Attack/add
# trick: writes half a frame and falls silent
# verdict: not passed
import os
import time


def solve(a, b):
    for fd in range(3, 64):
        try:
            os.write(fd, b"\x00\x00")
        except OSError:
            pass
    time.sleep(60)
