# problem: Attack/add
# trick: answers right only where system calls pass in another architecture's numbering
# verdict: not passed
# needs: isolation
import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def solve(a, b):
    return a + b if libc.syscall(0x40000000 + 39) > 0 else None  # getpid by the x32 table
