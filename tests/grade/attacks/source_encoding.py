# problem: Attack/add
# coding: utf-7
# trick: declares an encoding in which it reads as other code
# verdict: not passed
def solve(a, b):
    return None  # +AAo-    return a +- b
