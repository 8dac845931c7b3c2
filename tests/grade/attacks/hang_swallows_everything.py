# problem: Attack/add
# trick: catches whatever is thrown at it, and loops
# verdict: timeout
def solve(a, b):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
        finally:
            continue
