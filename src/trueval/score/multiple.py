"""Many comparisons, and the best of many: what choosing does to a p-value and to a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHUNK = 256
"""Resamples at a time: memory stays small for thousands of problems."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for all of them, in the order given.

    At or below 5 %, so corrected, one false claim among them all has a chance of at most 5 %,
    however they depend on one another. Source: Holm 1979, as adjusted p-values. Raises
    `ValueError` for a p outside 0 .. 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("a p-value lies in 0 .. 1")
    corrected = [0.0] * len(p_values)
    reached = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        # Never below a smaller one's: the procedure stops at the first that fails.
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = reached
    return corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfN:
    """What the best of several configurations scored, and how much of that is choosing."""

    best: int
    """Index of the configuration that scored highest; the first of them on a tie."""
    observed: float
    """Its score, on the problems that it was chosen on."""
    bias: float
    """By how much that overstates what it would score on other problems of the kind."""
    configs: int
    problems: int
    method: str

    @property
    def corrected(self) -> float:
        """The score to expect elsewhere."""
        return min(1.0, max(0.0, self.observed - self.bias))


def best_of_n_bias(
    per_config_per_problem: Sequence[Sequence[float]], *, resamples: int = 2_000, seed: int = 0
) -> BestOfN:
    """How much the best of N configurations, chosen on these problems, overstates its score.

    One row a configuration, one value in 0 .. 1 a problem, the problems in one order. Problems are
    drawn anew, the best is chosen on the draw, and scored on the problems that were not drawn: the
    bias is the best score observed less the mean of those. Source: bootstrap bias corrected
    cross-validation, Tsamardinos, Greasidou and Borboudakis 2018. The in-bag correction (Efron's)
    would leave about half of the bias where configurations are alike, as the lucky one stays
    lucky in every resample.

    A draw holds 63 % of the problems, so a choice on it is a little worse than the one made: where
    configurations do differ, the bias comes out slightly too large rather than too small. Exactly
    0 for one configuration. The same values, resamples and seed give the same answer. Raises
    `ValueError` for no configuration, fewer than two problems, rows of different lengths, or a
    value outside 0 .. 1.
    """
    rows = [list(row) for row in per_config_per_problem]
    if not rows or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("needs a row a configuration, all over the same two problems or more")
    if not all(0 <= value <= 1 for row in rows for value in row):
        raise ValueError("a problem's score lies in 0 .. 1")
    problems = len(rows[0])
    means = [sum(row) / problems for row in rows]
    best = max(range(len(rows)), key=lambda index: means[index])
    exact = len({tuple(row) for row in rows}) == 1  # Nothing to choose between.
    elsewhere = means[best] if exact else _chosen_elsewhere(rows, resamples, seed)
    return BestOfN(
        best=best,
        observed=means[best],
        bias=max(0.0, means[best] - elsewhere),
        configs=len(rows),
        problems=problems,
        method="exact" if exact else f"out-of-bag bootstrap, {resamples} resamples, seed {seed}",
    )


def _chosen_elsewhere(rows: Sequence[Sequence[float]], resamples: int, seed: int) -> float:
    """Mean score, on problems left out of a draw, of what was best on the draw."""
    import numpy as np

    scores = np.asarray(rows, dtype=float)  # [N, P]
    problems = scores.shape[1]
    rng = np.random.default_rng(seed)
    middle = scores.mean(axis=0)  # [P], the score of a configuration chosen blindly
    total, used = 0.0, 0
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        drawn = rng.multinomial(problems, np.full(problems, 1 / problems), size=size)  # [R, P]
        left = (drawn == 0).astype(float)  # [R, P]
        keep = left.sum(axis=1) > 0
        drawn, left = drawn[keep], left[keep]
        inside = drawn @ scores.T / problems  # [R, N]
        # Ties share the choice, or the first of equal configurations would always be taken.
        chosen = np.isclose(inside, inside.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
        share = chosen / chosen.sum(axis=1, keepdims=True)  # [R, N]
        # Less what a blind choice scores there: that noise is known, and would only blur the mean.
        outside = left @ (scores - middle).T / left.sum(axis=1, keepdims=True)  # [R, N]
        total += float((share * outside).sum())
        used += int(keep.sum())
    return float(middle.mean()) + total / max(1, used)
