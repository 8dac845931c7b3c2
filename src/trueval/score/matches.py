"""Scores of texts that were compared with the true ones: exact match by each rule, similarity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import fsum

from trueval.score.intervals import cluster_bootstrap, few_informative, wilson
from trueval.types import Estimate, Metric

NAMES: Mapping[str, str] = {
    "first-line": "exact match (first-line)",
    "whole-text": "exact match (whole-text)",
    "line-with-indent": "exact match (line-with-indent)",
    "edit-similarity": "edit similarity",
}
"""Metric -> what reports call it."""


class MatchTally:
    """Sums how well texts match, a problem and metric."""

    def __init__(self, *, problems: int, samples_per_problem: int) -> None:
        self._problems, self._samples = problems, samples_per_problem
        self._sums: dict[str, defaultdict[str, float]] = {}

    def add(self, problem_id: str, matches: Mapping[str, float]) -> None:
        """Count one sample. What is not there counts as 0, as does a sample never added."""
        for metric, value in matches.items():
            self._sums.setdefault(metric, defaultdict(float))[problem_id] += value

    def estimate(self, metric: Metric, *, level: float, seed: int) -> Estimate:
        """The mean over all problems, with its interval.

        Wilson's where each problem is one yes or no; else the cluster bootstrap, as for pass@k.
        """
        found: Mapping[str, float] = self._sums.get(metric, {})
        values = [min(1.0, total / self._samples) for total in found.values()]
        values += [0.0] * (self._problems - len(values))
        yes_or_no = self._samples == 1 and metric != "edit-similarity"
        if yes_or_no:
            (low, high), method = wilson(round(fsum(values)), len(values), level), "wilson"
        else:
            low, high = cluster_bootstrap(values, level, seed=seed)
            method = "wilson over problems" if few_informative(values) else "bootstrap"
        return Estimate(
            metric=NAMES[metric],
            value=fsum(sorted(values)) / len(values),
            low=low,
            high=high,
            level=level,
            method=method,
            problems=self._problems,
            samples_per_problem=self._samples,
        )
