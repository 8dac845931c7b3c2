# problem: Attack/sort
# why: sorts in place through a list of its own kind
# verdict: passed
class Sortable(list):
    def sorted(self):
        return sorted(self)


def solve(numbers):
    numbers[:] = Sortable(numbers).sorted()
