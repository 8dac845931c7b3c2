# problem: Attack/own_name
# why: answers with a generator
# verdict: passed
def solve(numbers):
    yield from numbers[1:]
    yield numbers[0]
