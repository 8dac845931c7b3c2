# problem: Attack/add
# trick: answers right only where it can attach to another process
# verdict: not passed
# needs: isolation
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def solve(a, b):
    for pid in {os.getppid(), 1, 2, 3} - {0, os.getpid()}:
        if libc.ptrace(16, pid, None, None) == 0:  # PTRACE_ATTACH
            libc.ptrace(17, pid, None, None)
            return a + b
