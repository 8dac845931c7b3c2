# problem: Attack/add
# trick: takes memory without end, in small pieces
# verdict: out_of_memory | error | crashed
def solve(a, b):
    kept = []
    while True:
        kept.append(b"x" * 10**6 + bytes(len(kept)))
