# problem: Attack/add
# trick: switches the collector off and makes garbage without end
# verdict: not passed
import gc

gc.disable()


def solve(a, b):
    while True:
        cycle = [bytearray(10**5)]
        cycle.append(cycle)
