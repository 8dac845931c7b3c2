# problem: Attack/add
# trick: leaves a child behind that keeps the grader's pipes open
# verdict: not passed
# host: no process left
import os
import time


def solve(a, b):
    if os.fork() == 0:
        with open("/proc/self/comm", "w") as file:
            file.write("tv-attack")
        time.sleep(120)
    os._exit(0)
