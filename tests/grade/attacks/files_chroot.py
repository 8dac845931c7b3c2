# problem: Attack/add
# trick: answers right only where it can leave its root by chroot or pivot_root
# verdict: not passed
# needs: isolation
import os


def solve(a, b):
    os.mkdir("inner")
    os.chroot("inner")
    return a + b
