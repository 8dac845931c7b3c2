# problem: Attack/add
# trick: sorts by a comparison that never ends
# verdict: timeout
class Item:
    def __lt__(self, other):
        while True:
            pass


def solve(a, b):
    return sorted([Item(), Item()])
