# problem: Attack/add
# trick: computes 9 ** 9 ** 9, which cannot be interrupted from Python
# verdict: timeout | out_of_memory | error
def solve(a, b):
    return 9**9**9
