# problem: Attack/add
# trick: takes memory without end, in one piece
# verdict: out_of_memory | error | crashed
def solve(a, b):
    return bytearray(2**40)
