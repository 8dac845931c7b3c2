# problem: Attack/own_name
# trick: deletes its own name while the test runs
# verdict: not passed
def solve(numbers):
    del globals()["solve"]
    return numbers
