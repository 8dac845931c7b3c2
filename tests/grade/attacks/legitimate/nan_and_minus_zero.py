# problem: Legitimate/odd_floats
# why: answers with nan, infinity and minus zero
# verdict: passed
def solve(name):
    return {"nan": float("nan"), "inf": float("inf"), "zero": -0.0}[name]
