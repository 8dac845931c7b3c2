# problem: Attack/add
# trick: leaves a segment of System V shared memory behind
# verdict: not passed
# host: no shared memory left
import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def solve(a, b):
    libc.shmget(0x7476, 2**20, 0o1000 | 0o666)
