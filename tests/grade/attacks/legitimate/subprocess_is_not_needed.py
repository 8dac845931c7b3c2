# problem: Attack/add
# why: tries to start a program, and has a way out where that is not allowed
# verdict: passed
import subprocess
import sys


def solve(a, b):
    try:
        subprocess.run([sys.executable, "-c", "pass"], capture_output=True, timeout=0.1)
    except (OSError, subprocess.SubprocessError):
        pass
    return a + b
