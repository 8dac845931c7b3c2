"""How a checkpoint's signals of length are to be read: found once, on code of no benchmark."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from trueval.diffusion.candidates import Ask, look, weigh
from trueval.diffusion.fits import Case, Choice, Floats, Prior, Scales, outlook
from trueval.diffusion.holes import Hole, Kind, library_holes
from trueval.diffusion.judge import Judge, probe_features
from trueval.diffusion.model import Model
from trueval.diffusion.signals import Eye, Probe
from trueval.paths import cache_dir

__all__ = ["MOST", "Sizes", "calibrated", "fingerprint"]

Say = Callable[[str], None]


def silent(_: str) -> None:
    """Say nothing."""


MOST = 64
"""The longest gap that is searched for, in tokens."""
OTHERS = 12
"""Wrong lengths of a hole that are probed, in the mean."""


HOLES = 160
"""Holes that are probed for a calibration."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many holes a calibration is made of, by how many are probed."""

    probed: int = HOLES

    @property
    def checked(self) -> int:
        """Left out of every fit: what a search finds on them is in the facts."""
        return -(-self.probed // 4)

    @property
    def prior(self) -> int:
        """These are tokenised, and no more."""
        return 6 * self.probed


SIZES = Sizes()

_SOURCES = (
    *("holes", "fits", "signals", "judge", "candidates", "calibration"),
    *("body", "model", "packs", "gaps"),  # through which a gap is looked at
)


def calibrated(
    model: Model,
    kind: Kind,
    *,
    eye: Eye | None = None,
    sizes: Sizes = SIZES,
    say: Say = silent,
    holes: Sequence[Hole] | None = None,
) -> Judge:
    """The calibration of a checkpoint for a kind of hole: from the cache, or made and kept there.

    `holes` are the library's unless given; those that are given are not cached. Raises
    `BackendError` where the library's sources are not there.
    """
    eye = eye or Eye(model)
    if holes is not None:
        return _fit(eye, kind, holes, sizes)
    path = cache_dir() / "lengths" / f"{_key(model, kind, sizes)}.json"
    if known := _read(path):
        return known
    say(f"calibrating the length search on {sizes.probed} holes of Python's library, once")
    total = sizes.prior + sizes.probed + sizes.checked
    judge = _fit(eye, kind, library_holes(kind, total), sizes)
    _write(path, judge)
    return judge


# --------------------------------------------------------------------------- the file


def fingerprint(model: Model) -> str:
    """Names a checkpoint by what it says: tokenizer, weights and adapter, on any machine.

    Its likeliest tokens for a fixed line, with logits rounded so far that the order in which a
    machine adds makes no difference but once in thousands.
    """
    ids = model.encode("def area(width, height):\n    return width * height\n")[: model.context - 1]
    row = torch.tensor([*ids, model.adapter.mask_id])
    [logits] = model.logits([row], [torch.arange(len(row))])
    best, tokens = logits.float().cpu().topk(4)
    said = [ids, tokens[:, 0].tolist(), [round(x, 1) for x in best.mean(1).tolist()]]
    return _digest([said, repr(model.adapter), model.vocab_size])


def _key(model: Model, kind: Kind, sizes: Sizes) -> str:
    code = hashlib.sha256()
    for name in _SOURCES:
        code.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    about = [kind, sizes.probed, platform.python_version(), str(model.dtype), code.hexdigest()]
    return _digest([fingerprint(model), about])[:24]


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _read(path: Path) -> Judge | None:
    try:
        return Judge.from_json(json.loads(path.read_text("utf-8")))
    except (OSError, KeyError, TypeError, ValueError):
        return None  # not there, or no longer of this form: it is made anew


def _write(path: Path, judge: Judge) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}.part")
    scratch.write_text(json.dumps(judge.to_json()) + "\n", "utf-8")
    scratch.replace(path)


# --------------------------------------------------------------------------- the fit


def _fit(eye: Eye, kind: Kind, holes: Sequence[Hole], sizes: Sizes) -> Judge:
    """The prior on the last holes, the probes on the first, the check on those between."""
    encode = eye.model.encode
    most = min(MOST, eye.most)
    first, rest = holes[: sizes.probed], holes[sizes.probed :]
    check, rest = rest[: sizes.checked], rest[sizes.checked :]
    seen = [(outlook(h.prefix, h.suffix, kind), len(encode(h.middle))) for h in rest]
    judge = Judge(
        kind=kind,
        prior=Prior.fit(seen, most),
        scales=Scales((), ()),
        probing=None,
        facts={},
    )
    if not _resizes(eye):
        judge = _with_probing(eye, judge, first, most)
    facts = {
        "kind": kind,
        "code": f"the library of Python {platform.python_version()}",
        "holes": {"prior": len(seen), "probed": len(first)},
        "left_out": _checked(eye, judge, check, most),
    }
    return replace(judge, facts=facts)


def _resizes(eye: Eye) -> bool:
    return eye.adapter.expand_id is not None


def _ask(eye: Eye, judge: Judge, hole: Hole, most: int) -> tuple[Ask, int]:
    """The question of a hole, and its answer."""
    encode = eye.model.encode
    ask = Ask(
        prefix=tuple(encode(hole.prefix)),
        suffix=tuple(encode(hole.suffix)),
        prior=judge.beforehand(hole.prefix, hole.suffix, most),
    )
    return ask, len(encode(hole.middle))


def _with_probing(eye: Eye, judge: Judge, holes: Sequence[Hole], most: int) -> Judge:
    looks: list[tuple[list[Probe], Floats, int]] = []
    for number, hole in enumerate(holes):
        ask, length = _ask(eye, judge, hole, most)
        if 1 <= length <= ask.longest:
            drawn = _drawn(ask.prior[: ask.longest], number)
            lengths = sorted({length, *(np.flatnonzero(drawn > 0) + 1).tolist()})
            probes = ask.seen_by(eye).probe(lengths)
            known = np.array([ask.prior[n - 1] - np.log(abs(drawn[n - 1])) for n in lengths])
            looks.append((probes, known, lengths.index(length)))
    signals = [
        (probe.length, probe.surest, index == right)
        for probes, _, right in looks
        for index, probe in enumerate(probes)
    ]
    scales = Scales.fit(signals, most)
    cases = [
        Case(known, probe_features(probes, scales, judge.kind), right)
        for probes, known, right in looks
    ]
    return replace(judge, scales=scales, probing=Choice.fit(cases))


def _drawn(prior: Floats, number: int) -> Floats:
    """How likely each length is to be probed beside the right one; below 0 where it is not.

    Each is drawn by itself, with a chance that does not depend on what is right. So a fit on those
    drawn, with log(chance) taken off, is one on all lengths (McFadden 1978, "Modelling the choice
    of residential location"). Half of the chance goes by the prior, half by the length's inverse.
    """
    inverse = 1 / np.arange(1, len(prior) + 1)
    share = (np.exp(prior) + inverse / inverse.sum()) / 2
    chance = np.minimum(1.0, OTHERS * share)
    taken = np.random.default_rng(number).random(len(prior)) < chance
    return np.asarray(np.where(taken, chance, -chance), dtype=np.float64)


def _checked(eye: Eye, judge: Judge, holes: Sequence[Hole], most: int) -> dict[str, float]:
    """How often a search, and the prior alone, find the length of holes of no fit."""
    found: dict[str, float] = {
        "holes": len(holes),
        "found": 0,
        "near": 0,
        "by_prior": 0,
        "by_prior_near": 0,
    }
    cost = 0.0
    for hole in holes:
        ask, length = _ask(eye, judge, hole, most)
        guess = best = ask.likeliest
        if judge.probing is not None:
            view = ask.seen_by(eye)
            best = weigh(view, judge, look(view, judge, ask))[0].length
            cost += view.cost
        found["found"] += best == length
        found["near"] += abs(best - length) <= 1
        found["by_prior"] += guess == length
        found["by_prior_near"] += abs(guess - length) <= 1
    return found | {"cost": round(cost, 1)}
