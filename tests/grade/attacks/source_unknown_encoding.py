# coding: rot-13-nonsense
# problem: Attack/add
# trick: declares an encoding that does not exist
# verdict: not passed
def solve(a, b):
    return None
