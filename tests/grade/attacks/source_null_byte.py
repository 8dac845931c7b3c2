# problem: Attack/add
# trick: holds a null byte
# verdict: error | crashed
# expand: "\0"
def solve(a, b):
    return "@@"
