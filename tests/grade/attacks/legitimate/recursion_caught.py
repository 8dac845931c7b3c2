# problem: Legitimate/depth
# why: runs into the limit on recursion, catches that, and does it otherwise
# verdict: passed
def down(n):
    return 0 if n == 0 else n + down(n - 1)


def solve(n):
    try:
        return down(10**9)
    except RecursionError:
        return n * (n + 1) // 2
