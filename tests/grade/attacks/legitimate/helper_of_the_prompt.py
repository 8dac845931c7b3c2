# problem: Attack/root
# why: calls the helper of the prompt, as intended
# verdict: passed
def poly(coefficients, x):
    return sum(c * x**i for i, c in enumerate(coefficients))


def solve(coefficients):
    low, high = -1e4, 1e4
    rising = poly(coefficients, high) > 0
    for _ in range(200):
        middle = (low + high) / 2
        if (poly(coefficients, middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return low
