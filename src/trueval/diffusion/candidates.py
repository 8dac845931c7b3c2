"""Which lengths of a gap are looked at, and which of them are drafted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trueval.diffusion.fits import Floats
from trueval.diffusion.judge import Judge
from trueval.diffusion.signals import Draft, Eye, Probe, View

__all__ = ["Ask", "Weighed", "best_few", "grid", "look", "weigh"]

GRID = (*range(1, 13), 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 104, 125, 150, 180, 216, 256)
"""Each about a fifth longer than the one before, as far as whole numbers go."""
TAIL = 0.02
"""Of the prior's mass, what may lie beyond the grid on each side."""
REFINED = 4
"""Lengths beside the best that are looked at in the second round."""
FEW = 3
"""Candidates that are drafted."""
HOPELESS = 0.05
"""A candidate with less than this share of the best one's odds is not drafted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A gap whose length is looked for."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    prior: Floats
    """Log-probabilities of the lengths 1, 2, ... up to the longest allowed."""

    @property
    def likeliest(self) -> int:
        """The length that the prior says."""
        return int(self.prior.argmax()) + 1

    @property
    def longest(self) -> int:
        """The longest that is looked at: more than that has next to none of the prior's mass."""
        mass = np.exp(self.prior)
        beyond = int(np.searchsorted(mass[::-1].cumsum(), TAIL))
        return max(self.likeliest, len(mass) - beyond)

    def seen_by(self, eye: Eye) -> View:
        """A look at the gap."""
        return eye.at(self.prefix, self.suffix, self.likeliest, self.longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A length, and what was found of it."""

    length: int
    odds: float
    """Its probability among those that came as far, at the last stage that it reached."""
    probe: Probe
    draft: Draft | None = None


def grid(ask: Ask) -> list[int]:
    """The lengths of the first round, where the prior has its mass."""
    low = int(np.searchsorted(np.exp(ask.prior).cumsum(), TAIL)) + 1
    inner = [length for length in GRID if low <= length <= ask.longest]
    return sorted({*inner, ask.likeliest})


def look(view: View, judge: Judge, ask: Ask) -> list[Weighed]:
    """All lengths that were probed, the likeliest first."""
    probes = view.probe(grid(ask))
    probes += view.probe(_beside(judge, ask, probes))
    odds = np.exp(judge.of_probes(probes, ask.prior))
    found = [
        Weighed(length=probe.length, odds=float(share), probe=probe)
        for probe, share in zip(probes, odds, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.odds, one.length))


def _beside(judge: Judge, ask: Ask, probes: Sequence[Probe]) -> list[int]:
    """The lengths of the second round: those that lie nearest to what looked best in the first.

    A length in between is taken to be as good as the better of its neighbours, but for what the
    prior says of it. Where a long gap showed the end of what belongs there, that is one as well.
    """
    most, known = ask.longest, {probe.length for probe in probes}
    odds = judge.of_probes(probes, ask.prior)
    bare = odds - np.array([ask.prior[probe.length - 1] for probe in probes])
    lengths = np.array([probe.length for probe in probes], dtype=np.float64)
    order = np.argsort(lengths)
    between = np.interp(np.arange(1, most + 1), lengths[order], bare[order])
    score = between + ask.prior[:most]
    found = set[int]()
    best = probes[int(odds.argmax())]
    for probe in (best, max(probes, key=lambda one: one.length)):
        # The token at which a gap ends is not of the text, the newline is.
        if probe.end_at:
            found.add(probe.end_at)
        if judge.kind == "line" and probe.line_at is not None:
            found.add(probe.line_at + 1)
    ranked = sorted(range(1, most + 1), key=lambda n: (n not in found, -score[n - 1], n))
    return sorted([n for n in ranked if n not in known][:REFINED])


def best_few(found: Sequence[Weighed], few: int) -> list[Weighed]:
    """Of `look`'s lengths those that are worth a draft."""
    return [one for one in found[:few] if one.odds >= HOPELESS * found[0].odds]


def weigh(view: View, judge: Judge, ask: Ask, found: Sequence[Weighed]) -> list[Weighed]:
    """The same lengths once they are drafted, the likeliest first."""
    drafts = view.draft([one.length for one in found])
    odds = np.exp(judge.of_drafts(drafts, np.log([one.odds for one in found])))
    weighed = [
        Weighed(length=one.length, odds=float(share), probe=one.probe, draft=draft)
        for one, share, draft in zip(found, odds, drafts, strict=True)
    ]
    return sorted(weighed, key=lambda one: (-one.odds, one.length))
