# problem: Attack/add
# why: prints three megabytes
# verdict: passed
def solve(a, b):
    for _ in range(1000):
        print("x" * 1000)
    return a + b
