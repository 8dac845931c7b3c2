# problem: Attack/add
# trick: never gets to the end of the text of its exception
# verdict: not passed
class Sticky(Exception):
    def __str__(self):
        while True:
            pass

    __repr__ = __str__


def solve(a, b):
    raise Sticky
