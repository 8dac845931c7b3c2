# problem: Attack/add
# trick: takes memory without end, in small pieces; on a slow machine its time is up first
# verdict: out_of_memory | error | crashed | timeout
def solve(a, b):
    kept = []
    while True:
        kept.append(b"x" * 10**6 + bytes(len(kept)))
