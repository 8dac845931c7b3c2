# problem: Attack/add
# trick: answers right only where it can list the home folders of the machine
# verdict: not passed
# needs: isolation
import os


def solve(a, b):
    for folder in (os.path.expanduser("~root"), "/root", "/home", "/work", "@HERE@"):
        try:
            if os.listdir(folder):
                return a + b
        except OSError:
            pass
