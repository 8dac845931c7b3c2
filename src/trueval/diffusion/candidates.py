"""Which lengths of a gap are looked at, and which of them are filled on trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from trueval.diffusion.fits import Floats
from trueval.diffusion.judge import Judge
from trueval.diffusion.signals import Draft, Eye, Probe, View

__all__ = ["Ask", "Weighed", "grid", "look", "weigh"]

GRID = (*range(1, 13), 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 104, 125, 150, 180, 216, 256)
"""Each about a fifth longer than the one before, as far as whole numbers go."""
TAIL = 0.02
"""Of the prior's mass, what may lie beyond the grid on each side."""
REFINED = 4
"""Lengths beside the best that are looked at in the second round."""


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
    logp: float
    """The log of its probability among those that came as far: that were probed, or filled."""
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
    odds = judge.of_probes(probes, ask.prior)
    found = [
        Weighed(length=probe.length, logp=float(logp), probe=probe)
        for probe, logp in zip(probes, odds, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.logp, one.length))


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


def weigh(view: View, judge: Judge, found: Sequence[Weighed]) -> list[Weighed]:
    """The same lengths once they are drafted, the likeliest first; those given up come behind.

    What a draft is worth only falls while it is filled. So those that are worth most are gone on
    with, and once one is over that is worth more than any other, no other can win (branch and
    bound, Land and Doig 1960).
    """
    drafts = {one.length: view.begun(one.length) for one in found}
    before = {one.length: one.logp for one in found}
    worth, over = dict(before), dict[int, float]()
    while True:
        best = max(over.values(), default=-inf)
        ahead = [n for n in drafts if n not in over and worth[n] > best]
        if not ahead:
            break
        ahead = view.together(sorted(ahead, key=lambda n: (-worth[n], n)))
        view.advance([drafts[n] for n in ahead])
        for length in ahead:
            draft = drafts[length]
            worth[length] = before[length] + judge.of_draft(draft, view.told(draft))
            if draft.is_over:
                over[length] = worth[length]
    total = float(np.logaddexp.reduce(list(over.values())))
    weighed = [
        replace(one, logp=over[one.length] - total, draft=drafts[one.length])
        for one in found
        if one.length in over
    ]
    weighed.sort(key=lambda one: (-one.logp, one.length))
    return weighed + [one for one in found if one.length not in over]
