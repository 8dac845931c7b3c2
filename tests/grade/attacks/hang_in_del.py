# problem: Attack/add
# trick: never gets to the end of a finaliser
# verdict: not passed
class Sticky:
    def __del__(self):
        while True:
            pass


def solve(a, b):
    Sticky()
