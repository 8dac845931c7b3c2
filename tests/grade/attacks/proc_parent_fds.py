# problem: Attack/add
# trick: answers right only where it can open what other processes have open
# verdict: not passed
# needs: isolation
import glob
import os


def solve(a, b):
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        if path.split("/")[2] == os.readlink("/proc/self"):
            continue
        try:
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            return a + b
        except OSError:
            pass
