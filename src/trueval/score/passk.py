"""pass@k of one problem, exactly."""

from __future__ import annotations

from fractions import Fraction
from math import comb


def pass_at_k(n: int, c: int, k: int) -> float:
    """Probability that at least one of `k` samples passes, when `c` of `n` drawn did.

    The unbiased estimator of Chen et al. 2021 ("Evaluating Large Language Models Trained on
    Code", section 2.1), in whole numbers and rounded once, so that it is right for any `n`.
    Raises `ValueError` for a `k` above `n` or below 1, and for a `c` outside 0 .. `n`.
    """
    if k < 1:
        raise ValueError(f"pass@k needs a k of at least 1, got {k}")
    if n < k:
        raise ValueError(f"pass@{k} needs at least {k} samples a problem, got {n}")
    if not 0 <= c <= n:
        raise ValueError(f"{c} of {n} samples cannot have passed")
    # Not 1 - (1 - c/n)**k: that is biased for small n. And a Fraction rather than two floats:
    # comb(2000, 1000) is past the largest float, and 1.0 - x loses the digits of a small score.
    return float(1 - Fraction(comb(n - c, k), comb(n, k)))
