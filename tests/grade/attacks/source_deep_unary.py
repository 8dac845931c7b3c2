# problem: Attack/add
# trick: chains operators until the C stack of a compiler overflows
# verdict: error | crashed | out_of_memory
# expand: "-" * 500_000 + "1"
value = @@


def solve(a, b):
    return value
