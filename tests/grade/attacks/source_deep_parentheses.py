# problem: Attack/add
# trick: nests parentheses until a parser breaks
# verdict: error | crashed | out_of_memory
# expand: "(" * 100_000 + ")" * 100_000
value = @@


def solve(a, b):
    return value
