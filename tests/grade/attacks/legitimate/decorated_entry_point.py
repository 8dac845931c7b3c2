# problem: Attack/sum
# why: the entry point is decorated
# verdict: passed
import functools


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        print(function.__name__, args, kwargs)
        return function(*args, **kwargs)

    return wrapper


@logged
def solve(a, b):
    return a + b
