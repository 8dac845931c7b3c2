# problem: Attack/add
# trick: leaves a tree deeper than paths may be long
# verdict: not passed
import os


def solve(a, b):
    for _ in range(1500):
        os.mkdir("deep")
        os.chdir("deep")
