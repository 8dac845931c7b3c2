"""How far a score could be off: intervals for one sample a problem, and for several."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from statistics import NormalDist

ENOUGH_PROBLEMS = 10
"""How many problems must be off each end (above 0, below 1) before a bootstrap is believed."""


def wilson(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion, (low, high), both in 0 .. 1.

    Never empty at 0 or `n` successes, where its outer end is exactly 0 or 1. With nothing drawn
    yet (`n` 0) it is all of (0, 1). `successes` may be a fraction: a sum of shares.
    Source: Wilson 1927; Brown, Cai and DasGupta 2001 recommend it. Raises `ValueError` for more
    successes than `n`, and for a level outside 0 .. 1.
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} cannot be")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends center - half is 0 in algebra and 1e-17 in floats.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return low, high


def few_informative(per_problem: Sequence[float]) -> bool:
    """Whether too few problems are above 0, or below 1, for a bootstrap to be believed."""
    above = sum(value > 0 for value in per_problem)
    below = sum(value < 1 for value in per_problem)
    return min(above, below) < ENOUGH_PROBLEMS


def cluster_bootstrap(
    per_problem: Sequence[float],
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval (low, high) of the mean of `per_problem`, by drawing whole problems anew.

    `per_problem` holds one value in 0 .. 1 a problem (its pass@k): samples of one problem are
    alike, so the problem is what is drawn. The bootstrap is the studentised one (Efron and
    Tibshirani 1993, section 12.5). With 164 problems x 5 it covers 94 to 97 % at scores from
    2 % to 90 %, where the percentile interval falls to 91 % and BCa to 93 %.

    Where fewer than `ENOUGH_PROBLEMS` problems are above 0, or below 1, any bootstrap is too
    narrow: at all 0 or all 1 it is a point. The answer then is `wilson` with n = problems. It is
    too wide rather than too narrow, as no values in 0 .. 1 vary more than a 0-or-1 of that mean.

    The same values, level, resamples and seed give the same interval. Raises `ValueError` for no
    problems, a value outside 0 .. 1, or a level outside 0 .. 1.
    """
    _check_level(level)
    if not per_problem:
        raise ValueError("an interval needs at least one problem")
    if not all(0 <= value <= 1 for value in per_problem):
        raise ValueError("a problem's score lies in 0 .. 1")
    n = len(per_problem)
    if few_informative(per_problem):
        return wilson(min(fsum(per_problem), n), n, level)
    return _studentised(per_problem, level, resamples, seed)


def _studentised(
    per_problem: Sequence[float], level: float, resamples: int, seed: int
) -> tuple[float, float]:
    import numpy as np

    # A problem's pass@k has at most n + 1 values, so a resample is a count of each: the same
    # draw as picking problems one by one, at a cost that does not grow with their number.
    values, counts = np.unique(np.asarray(per_problem, dtype=float), return_counts=True)  # [V] [V]
    problems = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(
        problems, counts / problems, size=resamples
    )  # [R, V]
    mean = float(counts @ values) / problems
    means = drawn @ values / problems  # [R]
    # Around its own mean, as E[x^2] - E[x]^2 cancels to noise when all problems are nearly alike.
    spread = (drawn * (values - means[:, None]) ** 2).sum(axis=1)  # [R]
    errors = np.sqrt(spread / (problems - 1) / problems)  # [R]
    error = float(np.sqrt(counts @ (values - mean) ** 2 / (problems - 1) / problems))
    if error == 0:  # Every problem has the same share: nothing to resample.
        return wilson(mean * problems, problems, level)
    # A resample that drew one value only has no error of its own: it lies infinitely far out.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num((means - mean) / errors, nan=0.0, posinf=1e300, neginf=-1e300)
    tail = (1 - level) / 2
    below, above = np.quantile(ratios, [tail, 1 - tail])
    return max(0.0, mean - float(above) * error), min(1.0, mean - float(below) * error)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")
