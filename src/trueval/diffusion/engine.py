"""Fills many gaps at once: rows enter as others are done, and no forward is run for nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from trueval.diffusion.canvas import Canvas
from trueval.diffusion.gaps import Filling, Gap
from trueval.diffusion.memo import Memo
from trueval.diffusion.model import Model
from trueval.diffusion.odds import Odds
from trueval.diffusion.packs import Parts
from trueval.diffusion.rules import Step
from trueval.diffusion.windows import Asked, Heard, Windowed, ask, hear
from trueval.errors import TruevalError

__all__ = ["Engine", "Filling", "Gap"]

Done = Callable[[Filling], None]
Failed = Callable[[TruevalError], None]


@dataclass(slots=True, kw_only=True, eq=False)
class _Row:
    """A canvas in flight, and whom to tell."""

    canvas: Canvas
    done: Done
    failed: Failed | None
    windowed: Windowed | None
    step: Step | None = None


@dataclass(slots=True, kw_only=True)
class _Question:
    """One canvas that the model has to be asked about, and all rows that have it."""

    ids: Tensor
    at: Tensor
    rows: list[_Row] = field(default_factory=list)


class Engine:
    """Fills gaps with one model. Not for several threads at once.

    What a gap is filled with depends on the gap alone: not on `rows`, on the memo, nor on the gaps
    beside it or their order. `memo_mb` = 0 keeps no odds.
    """

    def __init__(self, model: Model, *, rows: int = 8, memo_mb: int = 256) -> None:
        if rows < 1 or memo_mb < 0:
            raise ValueError(f"an engine of {rows} rows and {memo_mb} MB")
        self.model, self.rows = model, rows
        self.memo = Memo(memo_mb << 20)
        self._queue: deque[tuple[Canvas, Done, Failed | None]] = deque()
        self._flight: list[_Row] = []

    def fill(self, gaps: Iterable[Gap]) -> list[Filling]:
        """Fill gaps, and hand the fillings back in their order. After an error none is left."""
        found: dict[int, Filling] = {}
        count = 0
        try:
            for index, gap in enumerate(gaps):
                self.submit(gap, partial(found.__setitem__, index))
                count += 1
            while self.step():
                pass
        except BaseException:
            self.abandon()
            raise
        return [found[index] for index in range(count)]

    def submit(self, gap: Gap, done: Done, failed: Failed | None = None) -> None:
        """Queue a gap; `done` is called from within a later `step`.

        `failed` is called instead with an error that is this gap's alone, and the others go on;
        without it `step` raises that error. Raises `ConfigError` for a gap that this model cannot
        fill.
        """
        canvas = Canvas.of(gap, self.model.adapter, self.model.context)
        self.memo.hold(canvas.context)
        self._queue.append((canvas, done, failed))

    def step(self) -> bool:
        """Run one round of forwards, one a row in flight at most. False when nothing is left."""
        with torch.inference_mode():
            return self._round()

    def canvases(self) -> list[Canvas]:
        """The gaps in flight, as they stand after the last step: to look at, not to change."""
        return [row.canvas for row in self._flight]

    def abandon(self) -> None:
        """Forget all gaps that are queued or in flight, after an error; nobody is told."""
        self._queue.clear()
        self._flight.clear()
        self.memo = Memo(self.memo.limit)

    def _round(self) -> bool:
        waiting = self._advance()
        exact = [row for row in waiting if row.windowed is None]
        if exact:
            self._ask(exact)
        beside = [row for row in waiting if row.windowed is not None]
        wishes = [
            Asked(row.windowed, row.canvas, row.step)
            for row in beside
            if row.windowed is not None and row.step is not None
        ]
        for row, heard in zip(beside, ask(self.model, wishes), strict=True):
            self._take(row, heard)
        return bool(waiting)

    def _take(self, row: _Row, heard: Heard) -> None:
        """Run a row's step with what was heard of its canvas; without odds the row fails."""
        assert row.step is not None
        if not isinstance(heard, TruevalError):
            row.canvas.apply(row.step, heard)
            return
        if row.failed is None:
            raise heard
        self._flight.remove(row)
        row.failed(heard)
        self._leave(row)

    def _leave(self, row: _Row) -> None:
        """Let go of what is known for a row's sake."""
        self.memo.release(row.canvas.context)
        if row.windowed is not None:
            row.windowed.close()

    def _advance(self) -> list[_Row]:
        """Take every row up to a step that needs a forward, and fill the places that come free."""
        flight, self._flight = self._flight, []
        while flight or (self._queue and len(self._flight) < self.rows):
            row = flight.pop(0) if flight else self._enter()
            if self._runs_dry(row):
                self._flight.append(row)
            else:
                # Told first: a gap that is submitted now finds what its context is known to say.
                row.done(row.canvas.filling())
                self._leave(row)
        return list(self._flight)

    def _enter(self) -> _Row:
        canvas, done, failed = self._queue.popleft()
        windowed = None if canvas.gap.settings.mode == "exact" else Windowed(self.memo)
        return _Row(canvas=canvas, done=done, failed=failed, windowed=windowed)

    def _runs_dry(self, row: _Row) -> bool:
        """Run the steps that cost nothing. True when one came up that does, False at the end."""
        canvas = row.canvas
        while (step := canvas.next_step()) is not None:
            row.step = step
            if not canvas.reads(step):
                canvas.apply(step, None)
                continue
            odds = self._recall(row)
            if odds is None:
                return True
            canvas.memo_hits += 1
            canvas.apply(step, odds)
        return False

    def _recall(self, row: _Row) -> Odds | None:
        """What is known of a row's canvas; an approximation is known to its own gap only."""
        if row.windowed is not None:
            return row.windowed.recall(row.canvas)
        return self.memo.get(row.canvas.context, row.canvas.key)

    def _ask(self, rows: list[_Row]) -> None:
        """One forward for each canvas that differs from the others, and the steps it allows."""
        questions: dict[tuple[Hashable, Hashable], _Question] = {}
        for row in rows:
            canvas, step = row.canvas, row.step
            assert step is not None
            name = canvas.context, canvas.key
            if name not in questions:
                at = canvas.start + canvas.asked(step)
                questions[name] = _Question(ids=canvas.row, at=at)
            questions[name].rows.append(row)
        asked = list(questions.values())

        def reader(index: int, parts: Parts) -> Heard:
            row = asked[index].rows[0]
            assert row.step is not None
            return hear(row.canvas, row.step, parts)

        answers = self.model.read([q.ids for q in asked], [q.at for q in asked], reader)
        for (context, key), question, heard in zip(questions, asked, answers, strict=True):
            if isinstance(heard, Odds):
                self.memo.put(context, key, heard)
            first, *others = question.rows
            first.canvas.forwards += 1
            for row in others:
                row.canvas.memo_hits += 1
            for row in question.rows:
                self._take(row, heard)
