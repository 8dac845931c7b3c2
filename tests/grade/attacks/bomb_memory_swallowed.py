# problem: Attack/add
# trick: takes all memory, swallows the error and goes on
# verdict: not passed
kept = []


def solve(a, b):
    while True:
        try:
            while True:
                kept.append(bytearray(10**6))
        except MemoryError:
            return None
