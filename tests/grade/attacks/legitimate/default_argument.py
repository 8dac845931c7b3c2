# problem: Legitimate/calls
# why: counts its calls in a default argument
# verdict: passed
def solve(seen=[]):
    seen.append(1)
    return len(seen)
