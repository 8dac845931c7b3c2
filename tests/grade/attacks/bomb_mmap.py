# problem: Attack/add
# trick: takes shared anonymous memory, which limits on data do not count
# verdict: not passed
import mmap


def solve(a, b):
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 64 * 2**20))
        kept[-1].write(b"x" * 64 * 2**20)
