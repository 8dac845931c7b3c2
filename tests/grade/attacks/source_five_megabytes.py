# problem: Attack/add
# trick: is five megabytes long
# verdict: not passed
# expand: "x" * 5_000_000
text = "@@"


def solve(a, b):
    return None
