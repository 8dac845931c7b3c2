"""The statistics of a calibration: a prior over lengths, scales of a signal, and a choice model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trueval.diffusion.holes import Kind

__all__ = ["Case", "Choice", "Prior", "Scales", "outlook"]

Floats = NDArray[np.float64]

SPREAD = 0.1
"""An observed length speaks for those within this share of itself, too."""
WEIGHT = 20.0
"""Holes that all others count for, among those of one outlook."""
PULLS = (1e6, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Of a choice model's scaled weights to zero; the first leaves them there."""
FOLDS = 4


# --------------------------------------------------------------------------- prior


def outlook(prefix: str, suffix: str, kind: Kind) -> str:
    """What the context shows of a hole's length at a glance: how it is opened, and indented after.

    `prefix` and `suffix` are all that is read, and of them the lines beside the hole.
    """
    above = prefix.rstrip().rpartition("\n")[2]
    below = next((line for line in suffix.split("\n") if line.strip()), "")
    if kind == "span":
        inside = "" if prefix[-1:] in ("", "\n") else "in a line, "
        return f"{inside}{'to its end' if suffix[:1] == chr(10) else 'to its middle'}"
    last = above.rstrip()[-1:]
    opens = "block" if last == ":" else "bracket" if last in ("(", "[", "{", ",", "\\") else "plain"
    if not below:
        return f"{opens}, last"
    step = _indent(below) - _indent(above)
    return f"{opens}, {'deeper' if step > 0 else 'shallower' if step < 0 else 'level'}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@dataclass(frozen=True, slots=True)
class Prior:
    """How likely each length is before a model is asked."""

    most: int
    """The longest."""
    counts: Mapping[str, Mapping[int, int]]
    """Outlook -> length -> holes seen."""

    @classmethod
    def fit(cls, seen: Sequence[tuple[str, int]], most: int) -> Self:
        """From (outlook, length) of holes; what is longer than `most` counts as that."""
        counts: dict[str, dict[int, int]] = {}
        for name, length in seen:
            of = counts.setdefault(name, {})
            capped = min(max(1, length), most)
            of[capped] = of.get(capped, 0) + 1
        return cls(most, counts)

    def log(self, name: str) -> Floats:
        """Log-probabilities of the lengths 1..most, given an outlook: float64 [most]."""
        everyone: dict[int, int] = {}
        for of in self.counts.values():
            for length, count in of.items():
                everyone[length] = everyone.get(length, 0) + count
        base = self._mass(everyone) + 0.5 / self.most
        base /= base.sum()
        here = self._mass(self.counts.get(name, {})) + WEIGHT * base
        return np.asarray(np.log(here / here.sum()), dtype=np.float64)

    def _mass(self, counts: Mapping[int, int]) -> Floats:
        mass = np.zeros(self.most + 1)
        for length, count in counts.items():
            reach = round(SPREAD * length)
            low, high = max(1, length - reach), min(self.most, length + reach)
            mass[low : high + 1] += count / (high - low + 1)
        return mass[1:]


# --------------------------------------------------------------------------- scales


@dataclass(frozen=True, slots=True)
class Scales:
    """A signal's mean and spread where the length is right and where it is wrong, by length.

    Lengths are taken together by octave: 1, 2-3, 4-7, ...
    """

    right: tuple[tuple[float, float], ...]
    wrong: tuple[tuple[float, float], ...]

    @classmethod
    def fit(cls, seen: Sequence[tuple[int, float, bool]], most: int) -> Self:
        """From (length, signal, whether the length is right)."""
        sides: list[tuple[tuple[float, float], ...]] = []
        for side in (True, False):
            alike = [(length, signal) for length, signal, right in seen if right is side]
            sides.append(tuple(_moments(alike, octave) for octave in range(_octave(most) + 1)))
        return cls(*sides)

    def ratio(self, length: int, signal: float) -> float:
        """Log of how much likelier the signal is with the right length, both being normal."""
        octave = min(_octave(length), len(self.right) - 1)
        found = []
        for mean, spread in (self.right[octave], self.wrong[octave]):
            found.append(-0.5 * ((signal - mean) / spread) ** 2 - float(np.log(spread)))
        return float(np.clip(found[0] - found[1], -8.0, 8.0))


def _octave(length: int) -> int:
    return length.bit_length() - 1


def _moments(seen: Sequence[tuple[int, float]], octave: int) -> tuple[float, float]:
    """Mean and spread in an octave, held to those of all lengths where it has few."""
    everything = np.array([signal for _, signal in seen] or [0.0])
    here = np.array([signal for length, signal in seen if _octave(length) == octave])
    held, few = len(here), 8.0
    mean = (here.sum() + few * everything.mean()) / (held + few)
    square = (((here - mean) ** 2).sum() + few * everything.var()) / (held + few)
    return float(mean), float(max(square, 1e-4) ** 0.5)


# --------------------------------------------------------------------------- choice


@dataclass(frozen=True, slots=True)
class Case:
    """Candidates, of which one is right."""

    known: Floats
    """Log-odds of each before its features are looked at, [candidates]."""
    features: Floats
    """[candidates, d]"""
    right: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A conditional logit: a candidate is right with odds exp(known + weights . features).

    McFadden 1974, "Conditional logit analysis of qualitative choice behavior". What is known
    beforehand has weight 1: features that say nothing get weights of 0, and leave it as it was.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]

    @classmethod
    def fit(cls, cases: Sequence[Case]) -> Self:
        """The weights by penalised likelihood, with the pull that predicts folds left out best."""
        everything = np.concatenate([case.features for case in cases])
        centre, scale = everything.mean(0), everything.std(0)
        scale[scale < 1e-9] = np.inf  # what never differs says nothing
        scaled = [replace(case, features=(case.features - centre) / scale) for case in cases]
        pulls = {pull: _left_out(scaled, pull) for pull in PULLS}
        weights = _newton(scaled, max(PULLS, key=lambda pull: pulls[pull]))
        return cls(tuple(centre.tolist()), tuple(scale.tolist()), tuple(weights.tolist()))

    def log(self, known: Floats, features: Floats) -> Floats:
        """Log-probability of each candidate: [candidates], [candidates, d] -> [candidates]"""
        scaled = (features - np.array(self.centre)) / np.array(self.scale)
        return _log_softmax(known + scaled @ np.array(self.weights))


def _newton(cases: Sequence[Case], pull: float) -> Floats:
    """Newton's method on the penalised log-likelihood, which is concave: weights [d]"""
    weights = np.zeros(cases[0].features.shape[1])
    for _ in range(50):
        slope, bend = -pull * weights, pull * np.eye(len(weights))
        for case in cases:
            share = np.exp(_log_softmax(case.known + case.features @ weights))
            mean = share @ case.features
            slope += case.features[case.right] - mean
            bend += (case.features * share[:, None]).T @ case.features - np.outer(mean, mean)
        step = np.linalg.solve(bend, slope)
        weights += step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def _left_out(cases: Sequence[Case], pull: float) -> float:
    """Log-likelihood of each fold's cases by weights that the other folds gave."""
    total = 0.0
    for fold in range(FOLDS):
        rest = [case for index, case in enumerate(cases) if index % FOLDS != fold]
        weights = _newton(rest, pull) if rest else np.zeros(cases[0].features.shape[1])
        for case in cases[fold::FOLDS]:
            total += float(_log_softmax(case.known + case.features @ weights)[case.right])
    return total


def _log_softmax(odds: Floats) -> Floats:
    shifted = odds - odds.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), dtype=np.float64)


def plain(fit: Prior | Scales | Choice) -> dict[str, Any]:
    """A fit as JSON takes it."""
    if isinstance(fit, Prior):
        counts = {name: sorted(of.items()) for name, of in sorted(fit.counts.items())}
        return {"most": fit.most, "counts": counts}
    if isinstance(fit, Scales):
        return {"right": fit.right, "wrong": fit.wrong}
    scale = [value if np.isfinite(value) else None for value in fit.scale]
    return {"centre": fit.centre, "scale": scale, "weights": fit.weights}
