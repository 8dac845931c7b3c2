# problem: Attack/add
# trick: reads differently from how it runs, and breaks whoever prints the line
# verdict: error | crashed
# expand: "\u202e\u2066\x1b[31m"
def solve(a, b):
    return a + b @@
