# problem: Attack/add
# trick: reads address 0
# verdict: crashed | error
def solve(a, b):
    import ctypes

    ctypes.string_at(0)
