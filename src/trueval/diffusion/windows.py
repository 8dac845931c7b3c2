"""The approximate way to a canvas's odds: keys and values of the context are kept for a while."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch

from trueval.diffusion.canvas import Canvas
from trueval.diffusion.model import Model, Window
from trueval.diffusion.odds import Odds
from trueval.diffusion.rules import Step

__all__ = ["Asked", "Windowed", "ask"]


class Windowed:
    """One gap's own kept context and odds.

    They are never shared with another gap: what an approximation says depends on what was computed
    before, and a sample must not depend on those beside it. A DualCache in the words of Fast-dLLM
    (arXiv 2505.22618): what stands before and behind the block is kept, the block computed anew.
    """

    def __init__(self) -> None:
        self.window: Window | None = None
        self._age = 0
        self._seen: dict[Hashable, Odds] = {}
        self._block: Hashable = None

    def recall(self, canvas: Canvas) -> Odds | None:
        """The odds of a canvas that this gap has had before."""
        block = canvas.first, canvas.block_size, len(canvas.row)
        if block != self._block:
            self._block, self.window = block, None
        return self._seen.get(canvas.key)

    def usable(self, refresh: int) -> Window | None:
        """The kept context, unless it is too old."""
        return self.window if self._age < refresh else None

    def keep(self, canvas: Canvas, odds: Odds, window: Window | None) -> None:
        """Note what a pass found; `window` is the new one after a full pass."""
        self._seen[canvas.key] = odds
        if window is not None:
            self.window, self._age = window, 0
        self._age += 1


class Asked(NamedTuple):
    """One gap's wish for odds."""

    windowed: Windowed
    canvas: Canvas
    step: Step


def ask(model: Model, wishes: Sequence[Asked]) -> list[Odds]:
    """The odds of each, none of which can be recalled: full passes where they are due."""
    kept = [w.windowed.usable(w.canvas.gap.settings.refresh) for w in wishes]
    whole = [w for w, window in zip(wishes, kept, strict=True) if window is None]
    part = [(w, window) for w, window in zip(wishes, kept, strict=True) if window is not None]
    found: dict[int, Odds] = {}
    answers = model.windows(
        [w.canvas.row for w in whole],
        [w.canvas.start + w.canvas.asked(w.step) for w in whole],
        [w.canvas.start + torch.arange(w.canvas.block_size) for w in whole],
    )
    for wish, (window, logits) in zip(whole, answers, strict=True):
        odds = found[id(wish.canvas)] = wish.canvas.odds(wish.step, logits)
        wish.windowed.keep(wish.canvas, odds, window)
        wish.canvas.forwards += 1
    again = model.rewindow(
        [window for _, window in part],
        [w.canvas.row for w, _ in part],
        [w.canvas.start + w.canvas.asked(w.step) for w, _ in part],
    )
    for (wish, _), logits in zip(part, again, strict=True):
        odds = found[id(wish.canvas)] = wish.canvas.odds(wish.step, logits)
        wish.windowed.keep(wish.canvas, odds, None)
        wish.canvas.window_forwards += 1
    return [found[id(wish.canvas)] for wish in wishes]
