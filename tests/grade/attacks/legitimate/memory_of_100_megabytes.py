# problem: Attack/add
# why: uses 100 MB
# verdict: passed
def solve(a, b):
    table = bytearray(100 * 2**20)
    table[::4096] = b"x" * len(table[::4096])
    return a + b
