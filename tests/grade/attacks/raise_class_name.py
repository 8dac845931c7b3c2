# problem: Attack/add
# trick: raises an exception whose class name holds control characters and a verdict
# verdict: error | wrong | crashed
def solve(a, b):
    raise type("passed\n\x1b[32m\x00"[:-1] + "x" * 10**6, (Exception,), {})("P")
