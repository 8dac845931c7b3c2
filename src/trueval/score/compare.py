"""Two runs on the same problems: the difference, its interval, and whether it is there at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, lcm, sqrt
from statistics import NormalDist
from typing import Literal

from trueval.score.power import smallest_detectable

Verdict = Literal["better", "worse", "cannot tell"]

ENOUGH_FLIPS = 10
"""How many problems must differ each way before a bootstrap of differences is believed."""
MAX_EXACT = 50_000_000
"""Steps up to which every flip of signs is counted; about half a second."""
FLIPS = 20_000
"""Flips drawn where there are too many to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """B less A on the same problems."""

    value: float
    low: float
    high: float
    level: float
    interval_method: str
    """`paired bootstrap`, or `Tango` where too few problems differ for one."""
    p: float
    """Of no difference, two-sided."""
    test: str
    """`McNemar, exact`; for several samples a problem `sign flips` with how they were counted."""
    detectable: float
    """Smallest difference that this test finds in 80 of 100 such comparisons."""
    gains: int
    """Problems on which B is above A."""
    losses: int
    problems: int

    def verdict(self, p: float | None = None, alpha: float = 0.05) -> Verdict:
        """What may be said of B; `p` is the p-value corrected for other comparisons.

        A claim takes both: a p-value at or below `alpha` and an interval without 0.
        """
        if (self.p if p is None else p) > alpha or self.low <= 0 <= self.high:
            return "cannot tell"
        return "better" if self.value > 0 else "worse"


def difference(
    a: Sequence[float],
    b: Sequence[float],
    *,
    samples: int = 1,
    yes_or_no: bool = True,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Difference:
    """Compare two runs problem by problem: `a[i]` and `b[i]` are mean scores of one problem.

    `samples` is the draws a problem behind each value (the least common multiple, where runs
    drew different numbers); `yes_or_no` is False for scores such as edit similarity. With one
    sample a problem the test is McNemar's, exactly. Raises `ValueError` for different lengths, no
    problems, or a value outside 0 .. 1.
    """
    if not a or len(a) != len(b):
        raise ValueError(f"nothing to pair: {len(a)} and {len(b)} problems")
    if not all(0 <= value <= 1 for value in (*a, *b)):
        raise ValueError("a problem's score lies in 0 .. 1")
    steps = _steps(a, b, samples) if yes_or_no else None
    # From whole numbers where there are any: 0.8 - 0.6 is not 0.6 - 0.4 in floats.
    gaps = (
        [step / samples for step in steps] if steps else [y - x for x, y in zip(a, b, strict=True)]
    )
    low, high, interval_method = difference_interval(gaps, level=level, seed=seed)
    p, test = sign_flip_test(gaps, steps=steps, seed=seed)
    binary = samples == 1 and yes_or_no
    return Difference(
        value=fsum(gaps) / len(gaps),
        low=low,
        high=high,
        level=level,
        interval_method=interval_method,
        p=p,
        test="McNemar, exact" if binary else test,
        detectable=smallest_detectable(
            fsum(gap * gap for gap in gaps) / len(gaps),
            len(gaps),
            samples=samples if yes_or_no else None,
            alpha=alpha,
        ),
        gains=sum(gap > 0 for gap in gaps),
        losses=sum(gap < 0 for gap in gaps),
        problems=len(gaps),
    )


def paired_samples(samples_a: int, samples_b: int) -> int:
    """The denominator that differences of both runs' shares have in common."""
    return lcm(samples_a, samples_b)


def sign_flip_test(
    gaps: Sequence[float], *, steps: Sequence[int] | None = None, seed: int = 0
) -> tuple[float, str]:
    """Two-sided p of no difference, and how it was counted.

    If A and B are the same, which of them a problem's difference favours is a coin toss: p is the
    share of all 2**n ways to flip the signs whose sum is as far from 0 as the one observed (Fisher
    1935; Good 2005, chapter 3). With differences of -1, 0, 1 this is McNemar's exact test. The
    problem is what is flipped, so samples of one problem may be alike. `steps` are the differences
    in whole numbers; with them every flip is counted, as long as that is quick. Otherwise
    `FLIPS` of them are drawn with `seed`, the one observed counted with them (Phipson and Smyth
    2010), so that p is never 0. With different numbers of samples the coin is only nearly fair.
    """
    off = [abs(step) for step in steps if step] if steps is not None else []
    if not any(gaps):
        return 1.0, "sign flips, exact"
    if off and sum(off) * len(off) <= MAX_EXACT:
        assert steps is not None
        return _exact_p(off, abs(sum(steps))), "sign flips, exact"
    return _drawn_p([gap for gap in gaps if gap], seed), f"sign flips, {FLIPS} drawn, seed {seed}"


def difference_interval(
    gaps: Sequence[float], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float, str]:
    """Interval of the mean of `gaps`, one paired difference a problem, and how it was made.

    Where `ENOUGH_FLIPS` problems differ each way, problems are drawn anew (the studentised
    bootstrap, Efron and Tibshirani 1993, section 12.5). Fewer make any bootstrap too narrow, and
    none makes it a point; the answer then is the score interval of a difference of paired
    proportions (Tango 1998), which takes a gap of 0.4 for 0.4 of a flip and so is too wide rather
    than too narrow.
    """
    n = len(gaps)
    up, down = fsum(gap for gap in gaps if gap > 0), -fsum(gap for gap in gaps if gap < 0)
    if min(sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)) < ENOUGH_FLIPS:
        return *tango(up, down, n, level), "Tango"
    return *_studentised(gaps, level, resamples, seed), "paired bootstrap"


def tango(up: float, down: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval of (up - down) / n, when `up` of `n` pairs went one way and `down` the other.

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design". All differences that the score test does not reject;
    its limits are found by halving.
    """
    if n < 1 or min(up, down) < 0 or up + down > n + 1e-9:
        raise ValueError(f"{up} and {down} of {n} pairs cannot be")
    z = NormalDist().inv_cdf((1 + level) / 2)
    value = (up - down) / n

    def score(delta: float) -> float:
        # Nuisance: the share that went down, at its likeliest under this difference.
        linear = -up - down + (2 * n - up + down) * delta
        constant = -down * delta * (1 - delta)
        share = (sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
        spread = n * (2 * share + delta * (1 - delta))
        gap = up - down - n * delta
        return gap / sqrt(spread) if spread > 1e-15 else (0.0 if abs(gap) < 1e-12 else gap * 1e9)

    low = _bisected(lambda delta: score(delta) > z, -1.0, value)
    high = _bisected(lambda delta: score(delta) >= -z, value, 1.0)
    return low, high


def _bisected(below: Callable[[float], bool], low: float, high: float) -> float:
    """Where `below` turns from true to false."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _steps(a: Sequence[float], b: Sequence[float], samples: int) -> list[int]:
    steps = [round((y - x) * samples) for x, y in zip(a, b, strict=True)]
    for x, y, step in zip(a, b, steps, strict=True):
        if abs((y - x) * samples - step) > 1e-6:
            raise ValueError(f"{x} and {y} are no shares of {samples} samples")
    return steps


def _exact_p(off: Sequence[int], observed: int) -> float:
    """P(|sum of +-off| >= observed), by adding one problem at a time."""
    import numpy as np

    # Shifted: each problem adds 0 or 2 * step to -sum(off), so in units of 2 steps, 0 or step.
    total = sum(off)
    ways = np.zeros(total + 1)
    ways[0] = 1.0
    reached = 0
    for step in sorted(off):
        ways[step : reached + step + 1] += ways[: reached + 1].copy()
        reached += step
        ways[: reached + 1] /= 2
    sums = np.abs(2 * np.arange(total + 1) - total)
    return min(1.0, float(ways[sums >= observed].sum()))


def _drawn_p(gaps: Sequence[float], seed: int) -> float:
    import numpy as np

    rng = np.random.default_rng(seed)
    sizes = np.abs(np.asarray(gaps, dtype=float))
    # A flip that only rounding keeps below the observed sum is as far as it.
    observed = abs(fsum(gaps)) - 1e-9
    as_far = 0
    for start in range(0, FLIPS, 1_000):
        signs = rng.integers(0, 2, size=(min(1_000, FLIPS - start), len(sizes))) * 2 - 1
        as_far += int((np.abs(signs @ sizes) >= observed).sum())
    return (as_far + 1) / (FLIPS + 1)


def _studentised(
    gaps: Sequence[float], level: float, resamples: int, seed: int
) -> tuple[float, float]:
    import numpy as np

    # As for scores: a draw of problems is a count of each value that a difference takes.
    values, counts = np.unique(np.round(gaps, 12), return_counts=True)  # [V] [V]
    n = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)  # [R, V]
    mean = float(counts @ values) / n
    means = drawn @ values / n  # [R]
    squares = (drawn * (values - means[:, None]) ** 2).sum(axis=1)  # [R]
    error = float(np.sqrt(counts @ (values - mean) ** 2 / (n - 1) / n))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (means - mean) / np.sqrt(squares / (n - 1) / n)
    ratios = np.nan_to_num(ratios, nan=0.0, posinf=1e300, neginf=-1e300)
    tail = (1 - level) / 2
    below, above = np.quantile(ratios, [tail, 1 - tail])
    return max(-1.0, mean - float(above) * error), min(1.0, mean - float(below) * error)
