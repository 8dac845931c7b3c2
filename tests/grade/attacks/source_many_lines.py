# problem: Attack/add
# trick: has two hundred thousand statements to compile
# verdict: not passed
# expand: "x = 1\n" * 200_000
@@


def solve(a, b):
    return None
