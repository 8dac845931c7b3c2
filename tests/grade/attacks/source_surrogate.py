# problem: Attack/add
# trick: holds a lone surrogate, which cannot be written as UTF-8
# verdict: error | crashed | wrong
# expand: "\ud800"
def solve(a, b):
    return "@@"
