# problem: Attack/add
# trick: answers right only where it may write to the folders of the project
# verdict: not passed
# needs: isolation
import os


def solve(a, b):
    for path in ("@HERE@/problems.py", "@HERE@/tv-attack-file"):
        try:
            os.close(os.open(path, os.O_WRONLY | (0 if os.path.exists(path) else os.O_CREAT)))
            return a + b
        except OSError:
            pass
