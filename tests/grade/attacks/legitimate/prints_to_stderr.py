# problem: Attack/add
# why: writes to both streams in text and bytes, and flushes them
# verdict: passed
import sys


def solve(a, b):
    sys.stdout.buffer.write(b"\xff\xfe")
    sys.stdout.flush()
    print("\ud800 é", file=sys.stderr, flush=True)
    print(sys.stdin.read(1) if sys.stdin else "")
    return a + b
