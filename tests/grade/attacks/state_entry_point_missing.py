# problem: Attack/add
# trick: defines everything but the entry point
# verdict: error | crashed | wrong
def resolve(a, b):
    return a + b
