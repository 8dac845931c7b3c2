# problem: Attack/add
# why: raises and catches its own exceptions, groups too
# verdict: passed
def solve(a, b):
    try:
        raise ExceptionGroup("both", [ValueError(a), KeyError(b)])
    except* ValueError as group:
        total = group.exceptions[0].args[0]
    except* KeyError as group:
        total += group.exceptions[0].args[0]
    return total
