# problem: Attack/add
# trick: writes out an integer of a million digits
# verdict: not passed
# expand: "9" * 1_000_000
value = @@


def solve(a, b):
    return value
