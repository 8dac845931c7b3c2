"""How many tokens a gap needs, by the model alone: no training, and no look at what belongs there.

Gaps of candidate lengths, all masks, are shown to the model: the first-step confidence says which
it takes for right (CAL, arXiv 2602.00476), beside a prior and what else the look shows; how it is
to be read is calibrated for checkpoint and kind of hole on Python's own library (`calibration.py`).
Then they are filled greedily and compared by the text's log-probability, corrected for its length
(joint scores of whole texts: LR-DLLM, arXiv 2602.07546), those that cannot win given up on the way.
The keys and values of the context are computed once and turned to where each length puts them. A
model that makes gaps longer and shorter itself (DreamOn, arXiv 2602.01326) starts at the prior's
best, and nothing is computed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp
from typing import Any

from trueval.diffusion.calibration import MOST, SIZES, Sizes, calibrated, silent
from trueval.diffusion.candidates import Ask, Weighed, look, weigh
from trueval.diffusion.holes import KINDS, Kind, kind_of
from trueval.diffusion.judge import Judge
from trueval.diffusion.model import Model
from trueval.diffusion.signals import Eye, View
from trueval.errors import ConfigError, did_you_mean

__all__ = ["Candidate", "Found", "Search", "line_end"]

_REMEMBERED = 8192
"""Gaps. All problems of a task come before any of them comes again, so it is more than a task has;
their candidates, with the texts they were filled with, are not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One length that was looked at."""

    length: int
    odds: float
    """Its probability among the candidates that came as far as it did."""
    prior: float
    """Its probability before the model was asked."""
    confidence: float
    """First-step mean log-probability of the likeliest tokens."""
    text: str | None
    """What it was filled with, if it came so far."""
    logp: float | None
    """That text's log-probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The length of a gap, and what it took to find it."""

    length: int
    kind: Kind
    cost: float
    """Positions computed, in passes over the whole canvas; 0 where the same gap's length was found
    before."""
    candidates: tuple[Candidate, ...]
    """The best first; none where the prior alone decided, or the length was found before."""

    def to_json(self, *, trace: bool) -> dict[str, Any]:
        """What a sample tells of it; the candidates only with `trace`."""
        facts: dict[str, Any] = {"length": self.length, "hole": self.kind}
        facts["cost"] = round(self.cost, 3)
        if trace:
            facts["candidates"] = [
                {name: getattr(one, name) for name in Candidate.__slots__}
                for one in self.candidates
            ]
        return facts


class Search:
    """Finds the lengths of gaps with one model. What it finds depends on context and kind alone."""

    def __init__(
        self,
        model: Model,
        *,
        sizes: Sizes = SIZES,
        judges: Mapping[Kind, Judge] | None = None,
        say: Callable[[str], None] = silent,
    ) -> None:
        """`judges`: calibrations at hand; others are made, or read from the cache, when needed."""
        self.model, self._sizes, self._say = model, sizes, say
        self._judges: dict[Kind, Judge] = dict(judges or {})
        self._known: OrderedDict[tuple[str, str, Kind, int], Found] = OrderedDict()
        self._eye: Eye | None = None
        self._lock = threading.RLock()

    def ready(self, kind: str) -> Judge:
        """The calibration for a kind of hole, made if need be, which takes some minutes."""
        if kind not in KINDS:
            raise ConfigError(f"no kind of hole: {kind!r}", hint=did_you_mean(kind, KINDS))
        with self._lock:
            if kind not in self._judges:
                self._judges[kind] = calibrated(
                    self.model, kind, eye=self._open(), sizes=self._sizes, say=self._say
                )
            return self._judges[kind]

    def find(self, prefix: str, suffix: str, *, kind: str = "", most: int = MOST) -> Found:
        """The length of the gap between two texts, from 1 to `most`.

        `kind` is what is missing, where somebody knows; else the looks of the context decide.
        Raises `ConfigError` for a kind that there is not.
        """
        judge = self.ready(kind or kind_of(prefix, suffix))
        name = (prefix, suffix, judge.kind, most)
        with self._lock:
            if known := self._known.get(name):
                self._known.move_to_end(name)
                return known
            found = self._find(judge, prefix, suffix, most)
            self._known[name] = replace(found, cost=0.0, candidates=())
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return found

    def _open(self) -> Eye:
        self._eye = self._eye or Eye(self.model)
        return self._eye

    def _find(self, judge: Judge, prefix: str, suffix: str, most: int) -> Found:
        eye, encode = self._open(), self.model.encode
        prior = judge.beforehand(prefix, suffix, max(1, min(most, MOST, eye.most)))
        ask = Ask(prefix=tuple(encode(prefix)), suffix=tuple(encode(suffix)), prior=prior)
        if judge.probing is None:
            return Found(length=ask.likeliest, kind=judge.kind, cost=0.0, candidates=())
        view = ask.seen_by(eye)
        found = look(view, judge, ask)
        if len(found) > 1:
            found = weigh(view, judge, found)
        return Found(
            length=found[0].length,
            kind=judge.kind,
            cost=view.cost,
            candidates=tuple(self._told(one, ask, view) for one in found),
        )

    def _told(self, one: Weighed, ask: Ask, view: View) -> Candidate:
        text = logp = None
        if one.draft is not None:
            text = self.model.decode(one.draft.tokens[: view.told(one.draft).ended].tolist())
            logp = one.draft.logp
        return Candidate(
            length=one.length,
            odds=exp(one.logp),
            prior=float(exp(ask.prior[one.length - 1])),
            confidence=one.probe.surest,
            text=text,
            logp=logp,
        )


def line_end(text: str, suffix: str) -> str:
    """What fills a hole of one line, without what the model said again for want of anything else.

    The text ends at its first newline if all that follows it is blank, or the same line again, or
    the line that follows in `suffix`; the last line of it may be a beginning of these. Anything
    else is left, for it may be what a line goes on with.
    """
    line, newline, rest = text.partition("\n")
    below = next((one.strip() for one in suffix.split("\n") if one.strip()), "")
    *whole, last = rest.split("\n")
    again = {line.strip(), below, ""}
    repeats = all(one.strip() in again for one in whole)
    begun = any(one.startswith(last.strip()) for one in again)
    return line + newline if newline and line.strip() and repeats and begun else text
