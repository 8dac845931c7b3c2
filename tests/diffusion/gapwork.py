"""Gaps of the grammar, and the slow way to fill one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.diffusion import dense
from tests.diffusion.trained import IDS, Hole
from trueval.diffusion.gaps import Gap
from trueval.diffusion.noise import Noise
from trueval.diffusion.settings import Settings

_NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, _NO_GPU])]
"""For what has to hold wherever a model runs."""


def ids(text: str) -> tuple[int, ...]:
    return tuple(IDS[character] for character in text)


def gap_of(hole: Hole, settings: Settings, *, sample: int = 0, **changes: Any) -> Gap:
    return Gap(
        **{
            "prefix": ids(hole.prefix),
            "suffix": ids(hole.suffix),
            "length": len(hole.middle),
            "problem_id": hole.prefix + hole.suffix,
            "sample_index": sample,
            "settings": settings,
            **changes,
        }
    )


def garbled(hole: Hole, *, seed: int) -> Hole:
    """The same text with other letters around the gap, so that the model is sure of little."""
    source = random.Random(f"garbled {seed}")

    def other(text: str) -> str:
        return "".join(source.choice("abcdefghijklm") if c.isalpha() else c for c in text)

    return Hole(prefix=other(hole.prefix), middle=hole.middle, suffix=other(hole.suffix))


def slowly(net: Any, gap: Gap, never: Sequence[int], mask: int) -> tuple[int, ...]:
    """The published loop for one gap: every step a dense pass over the whole canvas."""
    head, tail = torch.tensor(gap.prefix), torch.tensor(gap.suffix, dtype=torch.int64)

    def logits(tokens: Tensor) -> Tensor:
        row = torch.cat([head, tokens, tail]).long()
        with torch.no_grad():
            outputs = net(row[None])[0]
        # Token j is predicted at j - 1, and the first at its own place.
        shifted = torch.cat([outputs[:1], outputs[:-1]])
        return shifted[len(head) : len(head) + len(tokens)]

    noise = Noise(gap.seed, gap.problem_id, gap.sample_index)
    history = dense.fill(logits, gap.length, noise, gap.settings, mask=mask, never=never)
    return tuple(history[-1].tolist())
