"""What probes and drafts say of a gap's length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from trueval.diffusion.fits import Choice, Floats, Prior, Scales, outlook, plain
from trueval.diffusion.holes import Kind
from trueval.diffusion.signals import Draft, Probe, Told

__all__ = ["Judge", "probe_features"]

TEXT, BEHIND, UNLIKE = 0.5, 0.3, 2.0
"""How much a draft's log-probability counts, and that of what follows; and what it costs it not to
be what belongs there. On 700 holes in lines of Python's library, trueval-coder-3m filled 33 when it
was given their lengths, and 31 with these, as with any of TEXT from 0.3 to 1, BEHIND from 0.3 to
0.5 and UNLIKE from 0 to 4."""


def probe_features(probes: Sequence[Probe], scales: Scales, kind: Kind) -> Floats:
    """[probes, 6]

    The calibrated confidence of CAL, and the plain one; whether the gap looks like what belongs
    there: one line, whole lines, no end before its end; and whether what follows is expected there.
    """
    lines, one = kind != "span", kind == "line"
    rows = [
        (
            scales.ratio(probe.length, probe.surest),
            probe.surest,
            probe.closes if lines else 0.0,
            probe.unbroken if one else 0.0,
            probe.unended,
            probe.seam,
        )
        for probe in probes
    ]
    return np.array(rows, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A calibration for one checkpoint and one kind of hole."""

    kind: Kind
    prior: Prior
    scales: Scales
    probing: Choice | None
    """None until it is fitted, and for models that make gaps longer and shorter themselves."""
    facts: Mapping[str, Any]
    """What it was fitted on, and how well it did on holes left out."""

    def beforehand(self, prefix: str, suffix: str, most: int) -> Floats:
        """Log-probabilities of the lengths 1..`most`, before the model is asked."""
        known = self.prior.log(outlook(prefix, suffix, self.kind))
        if most > len(known):  # what nothing was seen of is as likely as the longest that was
            known = np.concatenate([known, np.full(most - len(known), known[-1])])
        kept = known[:most]
        return np.asarray(kept - np.log(np.exp(kept).sum()), dtype=np.float64)

    def of_probes(self, probes: Sequence[Probe], prior: Floats) -> Floats:
        """Log-probability of each probe's length, of those that were probed: [probes]"""
        if self.probing is None:
            raise ValueError("this calibration has a prior alone")
        known = np.array([prior[probe.length - 1] for probe in probes])
        return self.probing.log(known, probe_features(probes, self.scales, self.kind))

    def of_draft(self, draft: Draft, told: Told) -> float:
        """What a draft says for its length, in the scale of log-probabilities: 0 at most.

        The text's joint log-probability, which what was known of the length corrects for it, and
        that of what follows. It only falls while a draft is filled.
        """
        worth = TEXT * draft.logp + BEHIND * (draft.seam or 0.0)
        if not draft.is_filled:
            return worth
        stops = told.ended is not None or (self.kind != "span" and not told.closes)
        breaks = self.kind == "line" and told.breaks > 0
        return worth - UNLIKE * (stops + breaks)

    def to_json(self) -> dict[str, Any]:
        """As a file has it."""
        return {
            "kind": self.kind,
            "prior": plain(self.prior),
            "scales": plain(self.scales),
            "probing": self.probing and plain(self.probing),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `to_json` gave. Raises `KeyError`, `TypeError` or `ValueError` for else."""
        counts = data["prior"]["counts"].items()
        known = {name: {int(n): int(count) for n, count in of} for name, of in counts}
        right, wrong = (
            tuple((float(mean), float(spread)) for mean, spread in data["scales"][side])
            for side in ("right", "wrong")
        )
        return cls(
            kind=data["kind"],
            prior=Prior(int(data["prior"]["most"]), known),
            scales=Scales(right, wrong),
            probing=data["probing"] and _choice(data["probing"]),
            facts=data["facts"],
        )


def _choice(data: Mapping[str, Any]) -> Choice:
    scale = tuple(float("inf") if value is None else float(value) for value in data["scale"])
    return Choice(tuple(map(float, data["centre"])), scale, tuple(map(float, data["weights"])))
