"""How small a difference a paired comparison could have found."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import Any

TAIL_SDS = 4.0
"""Numbers of flips further out than this many standard deviations are left out: 1 in 15,000."""


def smallest_detectable(
    square: float,
    problems: int,
    *,
    samples: int | None = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """The smallest true difference that the paired test finds with chance `power` at level `alpha`.

    `square` is the mean of the squared differences: for one sample a problem, the share of
    problems that flipped. As many are taken to flip as did, or as few as the difference needs.
    One sample: the power of McNemar's exact test is summed over every number of flips. Several,
    or a score that is no share (`samples` None): the normal approximation (Connor 1987). 1.0 when
    even a difference of everything would not be found: there are too few problems.
    """
    if samples == 1:
        found = _mcnemar(problems, alpha)

        def enough(delta: float) -> bool:
            return found.power(max(square, delta), delta) >= power
    else:
        unit = 1 / samples if samples else 0.0
        reach = NormalDist().inv_cdf(1 - alpha / 2)
        beyond = NormalDist().inv_cdf(power)

        def enough(delta: float) -> bool:
            # A difference comes in steps of 1/samples, so its square is no smaller than this.
            mean_square = max(square, delta * max(unit, delta))
            spread = sqrt(max(0.0, mean_square - delta * delta))
            return delta * sqrt(problems) >= reach * sqrt(mean_square) + beyond * spread

    if not enough(1.0):
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 2e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=4)
def _mcnemar(problems: int, alpha: float) -> _Mcnemar:
    # Comparisons come in dozens, all over the same problems.
    return _Mcnemar(problems, alpha)


class _Mcnemar:
    """The power of McNemar's exact test, with the factorials that it needs kept."""

    def __init__(self, problems: int, alpha: float) -> None:
        import numpy as np

        self._n, self._alpha = problems, alpha
        self._logs: Any = np.concatenate(([0.0], np.log(np.arange(1, problems + 1)).cumsum()))
        self._critical: dict[int, int] = {}

    def power(self, flipping: float, delta: float) -> float:
        """Chance of p <= alpha when a share `flipping` of problems flips, `delta` more one way."""
        import numpy as np

        middle, spread = self._n * flipping, sqrt(self._n * flipping * (1 - flipping))
        first = max(0, int(middle - TAIL_SDS * spread))
        last = min(self._n, int(middle + TAIL_SDS * spread) + 1)
        minority = (flipping - delta) / (2 * flipping) if flipping else 0.5
        found = 0.0
        weights = self._binomial(self._n, flipping, np.arange(first, last + 1))
        for flips, weight in zip(range(first, last + 1), weights, strict=True):
            most = self._most(flips)
            if most < 0:
                continue
            few = np.arange(most + 1)
            both = self._binomial(flips, minority, few).sum()
            both += self._binomial(flips, 1 - minority, few).sum()
            found += float(weight * both)
        return found

    def _most(self, flips: int) -> int:
        """How many of `flips` may go the rarer way for p <= alpha; -1 when none is few enough."""
        import numpy as np

        if flips not in self._critical:
            tail = 2 * self._binomial(flips, 0.5, np.arange(flips // 2 + 1)).cumsum()
            self._critical[flips] = int((tail <= self._alpha * (1 + 1e-12)).sum()) - 1
        return self._critical[flips]

    def _binomial(self, n: int, share: float, counts: Any) -> Any:
        import numpy as np

        if share <= 0 or share >= 1:
            return (counts == (0 if share <= 0 else n)).astype(float)
        logs = self._logs
        ways = logs[n] - logs[counts] - logs[n - counts]
        return np.exp(ways + counts * np.log(share) + (n - counts) * np.log1p(-share))
