"""Published scores of known models, so that a result far from them, either way, says so.

A band refuses nothing: prompts, post-processing and precision move scores. But a score far below
is often a broken chat template or a stop sequence, and one far above a leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from trueval.types import Estimate

WIDTH = 0.2
"""Half the width of a band, as a share of the published score: what settings alone move it by."""
LEAST = 0.03
"""Half its width at least: five problems of HumanEval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One published pass@1."""

    model: str
    """What a hub id ends with."""
    task: str
    mode: str
    value: float
    source: str
    url: str

    @property
    def low(self) -> float:
        """The lowest score that is not surprising."""
        return max(0.0, self.value - max(LEAST, WIDTH * self.value))

    @property
    def high(self) -> float:
        """The highest."""
        return min(1.0, self.value + max(LEAST, WIDTH * self.value))


@lru_cache(maxsize=1)
def bands() -> tuple[Band, ...]:
    """All published scores that come with the package."""
    import yaml

    text = files("trueval.honesty").joinpath("bands.yml").read_text("utf-8")
    return tuple(Band(**entry) for entry in yaml.safe_load(text))


def find_band(*, model: str, task: str, mode: str) -> Band | None:
    """The published score of a model on a task, asked in this way; None where there is none.

    `model` is a hub id, a path or a file; a quantised copy (`X-GGUF`, `X.Q4_K_M.gguf`) is held
    against the original.
    """
    name = model.rstrip("/").rsplit("/", 1)[-1].lower().removesuffix(".gguf").removesuffix("-gguf")
    stem = name.partition(".q")[0] if ".q" in name else name
    for band in bands():
        if band.model.lower() in (name, stem) and (band.task, band.mode) == (task, mode):
            return band
    return None


def band_note(estimate: Estimate, *, model: str, task: str, mode: str) -> str | None:
    """What to say of a score far outside what was published; None when there is nothing to say.

    Far is when the whole interval lies outside the band, so a small run says nothing.
    """
    band = find_band(model=model, task=task, mode=mode)
    if band is None or estimate.metric != "pass@1":
        return None
    if band.low <= estimate.high and estimate.low <= band.high:
        return None
    below = estimate.value < band.value
    look = (
        "look at the chat template, the stop sequences and `trueval failures` first"
        if below
        else "look for a leak in prompt and post-processing first"
    )
    return (
        f"far {'below' if below else 'above'} the published {band.value:.1%} of {band.model} "
        f"({band.source}, {band.url}): {look}"
    )
