"""The approximate way to a canvas's odds: keys and values of the context are kept for a while."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from trueval.diffusion.canvas import Canvas
from trueval.diffusion.memo import Memo
from trueval.diffusion.model import Model, Window
from trueval.diffusion.odds import Odds
from trueval.diffusion.packs import Parts
from trueval.diffusion.rules import Step
from trueval.errors import TruevalError

__all__ = ["Asked", "Heard", "Windowed", "ask", "hear"]

Heard = Odds | TruevalError
"""The odds of a canvas, or why it has none."""


def hear(canvas: Canvas, step: Step, parts: Parts) -> Heard:
    """What the model's logits say of a canvas: an error in them is that canvas's alone."""
    try:
        return canvas.odds(step, parts)
    except TruevalError as error:
        return error


class Windowed:
    """One gap's own kept context, and what was heard since it was computed.

    They are never shared with another gap: what an approximation says depends on what was computed
    before, and a sample must not depend on those beside it. A DualCache in the words of Fast-dLLM
    (arXiv 2505.22618): what stands before and behind the block is kept, the block computed anew.

    Until the next full pass a canvas's odds depend on it and on the canvas of the last one alone.
    So odds that the memo has no room for are computed again and come out the same, and a canvas
    that comes again makes nothing older: how large the memo is changes no sample.
    """

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._window: Window | None = None
        self._heard: list[Hashable] = []
        """Canvases since the last full pass, that one's first."""
        self._block: Hashable = None
        memo.hold(self)

    def recall(self, canvas: Canvas) -> Odds | None:
        """The odds of a canvas that were heard since the last full pass."""
        block = canvas.first, canvas.block_size, len(canvas.row)
        if block != self._block:
            self._block = block
            self._forget()
        return self._memo.get(self, canvas.key)

    def usable(self, canvas: Canvas) -> Window | None:
        """The kept context; none where a full pass is due."""
        key, refresh = canvas.key, canvas.gap.settings.refresh
        is_old = key not in self._heard and len(self._heard) >= refresh
        return None if is_old or [key] == self._heard[:1] else self._window

    def keep(self, canvas: Canvas, odds: Odds, window: Window | None) -> None:
        """Note what a pass found; `window` is the new one after a full pass."""
        key = canvas.key
        if window is not None:
            if [key] != self._heard[:1]:
                self._forget()
            self._window = window
        if key not in self._heard:
            self._heard.append(key)
        self._memo.put(self, key, odds)

    def close(self) -> None:
        """Leave the memo, when the gap is done."""
        self._memo.release(self)

    def _forget(self) -> None:
        self._window, self._heard = None, []
        self._memo.release(self)
        self._memo.hold(self)


class Asked(NamedTuple):
    """One gap's wish for odds."""

    windowed: Windowed
    canvas: Canvas
    step: Step

    @property
    def at(self) -> Tensor:
        """The positions that are asked for: int64 [Q]."""
        return self.canvas.start + self.canvas.asked(self.step)


def ask(model: Model, wishes: Sequence[Asked]) -> list[Heard]:
    """What is heard of each, of none of which it is known: full passes where they are due."""
    kept = [wish.windowed.usable(wish.canvas) for wish in wishes]
    whole = [wish for wish, window in zip(wishes, kept, strict=True) if window is None]
    part = [wish for wish, window in zip(wishes, kept, strict=True) if window is not None]
    found: dict[int, Heard] = {}
    if whole:
        answers = model.windows(
            [wish.canvas.row for wish in whole],
            [wish.at for wish in whole],
            [wish.canvas.start + torch.arange(wish.canvas.block_size) for wish in whole],
            lambda index, parts: hear(whole[index].canvas, whole[index].step, parts),
        )
        for wish, (window, heard) in zip(whole, answers, strict=True):
            found[id(wish)] = heard
            wish.canvas.forwards += 1
            if isinstance(heard, Odds):
                wish.windowed.keep(wish.canvas, heard, window)
    if part:
        again = model.rewindow(
            [window for window in kept if window is not None],
            [wish.canvas.row for wish in part],
            [wish.at for wish in part],
            lambda index, parts: hear(part[index].canvas, part[index].step, parts),
        )
        for wish, heard in zip(part, again, strict=True):
            found[id(wish)] = heard
            wish.canvas.window_forwards += 1
            if isinstance(heard, Odds):
                wish.windowed.keep(wish.canvas, heard, None)
    return [found[id(wish)] for wish in wishes]
