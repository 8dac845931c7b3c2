"""The training loop: steps, evaluations, checkpoints, and an end in time.

A run of a number of steps is a function of its recipe and data: interrupted and resumed, on one CPU
with one number of threads, it gives the same weights bit for bit. A run of a number of
minutes follows the clock, so it is not; time that a run does not work does not count.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from trueval.errors import ConfigError
from trueval.tuning.batches import Batches, Tokens
from trueval.tuning.checkpoint import load_state, save_state
from trueval.tuning.course import Course, Ending
from trueval.tuning.curves import Curves
from trueval.tuning.evaluation import Evaluation, Evaluator
from trueval.tuning.gradients import (
    Feed,
    Workers,
    check_master,
    not_finite,
    pass_gradients,
    step_gradients,
)
from trueval.tuning.masking import MOST_JOINS, Vocabulary
from trueval.tuning.net import Weights, initial, master_gradients, working_copy
from trueval.tuning.optim import Optimisation
from trueval.tuning.plain import Plain
from trueval.tuning.recipe import Recipe

SAVE_EVERY_S = 300.0
"""Time between checkpoints."""
LOG_EVERY_S = 5.0
LEAST_STEPS = 25
"""Between two evaluations."""


class Trainer:
    """Trains one model."""

    def __init__(
        self,
        recipe: Recipe,
        vocabulary: Vocabulary,
        train: Tokens,
        validation: Tokens,
        out: Path,
        *,
        ending: Ending | None = None,
        device: torch.device | None = None,
        workers: Workers | None = None,
        dtype: torch.dtype = torch.bfloat16,
        compiled: bool = False,
        start: Weights | None = None,
        origin: Mapping[str, Any] | None = None,
        watch: Callable[[Course], None] = lambda _: None,
        said: Callable[[Course, Evaluation], None] = lambda _, __: None,
    ) -> None:
        """`start`: master weights to begin with, instead of random ones. `origin`: facts of data
        and start, which a resumed run must share. `watch` is called after each step, `said` after
        each evaluation.
        """
        self.recipe, self.out, self.vocabulary = recipe, out, vocabulary
        self.ending = ending or Ending(steps=recipe.steps)
        self.device = device or torch.device("cpu")
        self.workers = workers or Workers()
        self.course, self.stop = Course(), False
        self._dtype, self._watch, self._said = dtype, watch, said
        self._origin = dict(origin or {})
        shape = recipe.shape
        if shape.vocabulary < vocabulary.size:
            raise ConfigError(
                f"the recipe's vocabulary is {shape.vocabulary}, the data's {vocabulary.size}",
                hint=f"--set shape.vocabulary={vocabulary.size}",
            )
        on_gpu = self.device.type == "cuda"
        count = self.workers.count
        size, self._passes = recipe.passes(workers=count, on_gpu=on_gpu)
        self._step_tokens = self._passes * size * count
        self._plain = Plain(compiled=compiled) if on_gpu else None
        self.master = {
            name: weight.to(self.device)
            for name, weight in (start or initial(shape, recipe.seed)).items()
        }
        self.optimisation = Optimisation(recipe.optimiser, self.master, shape)
        slack = MOST_JOINS if recipe.mixture.edits else 0
        batches = Batches(train, size=size, context=shape.context, seed=recipe.seed, slack=slack)
        self._feed = Feed(
            batches,
            vocabulary,
            recipe.mixture,
            seed=recipe.seed,
            ahead=12 if on_gpu else 0,
            stride=count,
        )
        self._evaluator = Evaluator(
            validation,
            vocabulary,
            shape,
            recipe.mixture,
            lines=recipe.evaluate_lines,
            workers=self.workers,
        )
        self.curves = Curves(out / "training" / "curves.jsonl")
        self.evaluation: Evaluation | None = None

    @property
    def leads(self) -> bool:
        """Whether this worker writes the files."""
        return self.workers.rank == 0

    def resume(self) -> None:
        """Go on from the checkpoint in `out`. Raises `ConfigError` when it is of another recipe."""
        state = load_state(self.out, self.device)
        mine = self._facts()
        theirs = state.get("facts") or {}
        if theirs != mine:
            key = next(k for k in mine | theirs if theirs.get(k) != mine.get(k))
            raise ConfigError(
                f"{self.out} was begun otherwise: {key} was {theirs.get(key)!r} and is now"
                f" {mine.get(key)!r}",
                hint="resume with the same recipe and data, or begin in another folder",
            )
        for name, weight in state["master"].items():
            self.master[name].copy_(weight)
        self.optimisation.load(state["optimiser"])
        self._go_on_from(Course(**state["course"]))
        if state["evaluation"]:
            self.evaluation = Evaluation(**state["evaluation"])
        if self.leads:
            self.curves.keep_until(self.course.step)

    def _go_on_from(self, course: Course) -> None:
        before, course.progress = course.progress, self.ending.progress(course)
        if course.progress < before:
            # The end was moved: what is due is counted anew, and so is patience.
            course.skipped, course.worse = 0.0, 0
            course.progress = self.ending.progress(course)
            every = self.recipe.evaluate_every or 1.0
            course.evaluations = min(course.evaluations, int(course.progress / every))
        course.done = course.progress >= 1.0
        self.course, self._clock, self._skip = course, course.seconds, course.skipped

    def run(self) -> bool:
        """Train to the end, or until `stop` is set: whether the end was reached."""
        (self.out / "training").mkdir(parents=True, exist_ok=True)
        course, logged = self.course, 0.0
        if not course.done:
            self._warm()
        saved = time.monotonic()
        while not course.done:
            begun = time.monotonic()
            norm = self._step()
            self._measure_time(begun)
            now = time.monotonic()
            if self._due():
                self._evaluate()
                self._measure_time(now)
            if self.leads and now - logged >= LOG_EVERY_S:
                self._log(norm)
                logged = now
            self._watch(course)
            if self._stopping or (self.stop and self.workers.count == 1):
                break
            if time.monotonic() - saved >= SAVE_EVERY_S:
                self.save()
                saved = time.monotonic()
        if course.done and course.evaluations == 0:
            self._evaluate()
        self.save()
        return course.done

    def _warm(self) -> None:
        """One pass for nothing where a compiler and libraries get ready: no clock counts that."""
        if self._plain is None:
            return
        working = working_copy(self.master, self._dtype, self.device)
        rows = self._feed.make(self._first_pass)
        float(pass_gradients(working, self.recipe.shape, rows, self._plain)[0])

    @property
    def _first_pass(self) -> int:
        return self.course.step * self._passes * self.workers.count + self.workers.rank

    def _measure_time(self, begun: float) -> None:
        self._clock += time.monotonic() - begun
        # Of several workers all go by what the first one tells: by its clock, and its patience.
        if self.workers.count == 1:
            self._follow(self._clock, self._skip)
        self._advance()

    def _follow(self, seconds: float, skipped: float) -> None:
        self.course.seconds, self.course.skipped = seconds, skipped

    def _advance(self) -> None:
        self.course.progress = self.ending.progress(self.course)
        self.course.done = self.course.progress >= 1.0

    def _step(self) -> float:
        """One step: the norm of its gradient."""
        course, recipe = self.course, self.recipe
        working = working_copy(self.master, self._dtype, self.device)
        numbers = [self._first_pass + i * self.workers.count for i in range(self._passes)]
        several = self.workers.count > 1
        tell = (self._clock, self._skip, float(self.stop)) if several else ()
        sums = step_gradients(
            working, recipe.shape, self._feed, numbers, self.workers, plain=self._plain, tell=tell
        )
        if tell:
            seconds, skipped, stop = sums.agreed
            self._follow(seconds, skipped)
            self._stopping = bool(stop)
            self._advance()
        gradients = master_gradients(self.master, sums.gradients)
        if not math.isfinite(sums.loss) or not _finite(gradients):
            raise not_finite(
                course.step,
                self.master,
                working,
                recipe.shape,
                self._feed,
                numbers,
                self._plain,
                self.workers,
            )
        factor = recipe.optimiser.factor(course.progress, course.step)
        norm: float = self.optimisation.step(self.master, gradients, factor)
        self._rate = recipe.optimiser.rate * factor
        course.step += 1
        course.tokens += self._step_tokens
        course.hidden += sums.hidden
        known = math.isfinite(course.loss)
        course.loss = course.loss + 0.02 * (sums.loss - course.loss) if known else sums.loss
        return norm

    _clock = 0.0
    """Seconds at work by this worker's own clock."""
    _skip = 0.0
    """The share of the training to leave out, as this worker sees it."""
    _rate = 0.0
    """Of the last step."""
    _stopping = False

    def _due(self) -> bool:
        course, every = self.course, self.recipe.evaluate_every
        if course.done or not every:
            return course.done
        # Of a short run an evaluation would be the longer part.
        rested = course.step - course.evaluated_at >= LEAST_STEPS
        return rested and course.progress >= every * (course.evaluations + 1)

    def _evaluate(self) -> None:
        course = self.course
        every = self.recipe.evaluate_every or 1.0
        course.evaluations = max(course.evaluations + 1, int(course.progress / every))
        course.evaluated_at = course.step
        working = working_copy(self.master, self._dtype, self.device)
        found = self._evaluator(working, stopped=lambda: self.stop)
        self.evaluation = found
        better = found.validation < course.best
        course.best = min(course.best, found.validation)
        course.worse = 0 if better else course.worse + 1
        self._lose_patience()
        if self.leads:
            self.curves.add(
                step=course.step, tokens=course.tokens, minutes=course.seconds / 60, **asdict(found)
            )
            self._said(course, found)

    def _lose_patience(self) -> None:
        """Go on where the rate falls to its end: weights at a high rate are not what to ship."""
        course, falls = self.course, self.recipe.optimiser.falls_from
        if 0 < self.recipe.patience <= course.worse and course.progress < falls:
            self._skip = course.skipped + falls - course.progress
            every = self.recipe.evaluate_every or 1.0
            course.evaluations = max(course.evaluations, int(falls / every))

    def _log(self, norm: float) -> None:
        course = self.course
        self.curves.add(
            step=course.step,
            tokens=course.tokens,
            minutes=round(course.seconds / 60, 4),
            loss=round(course.loss, 5),
            rate=self._rate,
            norm=round(norm, 4),
        )

    def save(self) -> None:
        """Write the checkpoint that `resume` goes on from; never one that is not finite."""
        check_master(self.master, f"after step {self.course.step}")
        if self.leads:
            save_state(
                self.out,
                {
                    "facts": self._facts(),
                    "master": self.master,
                    "optimiser": self.optimisation.state(),
                    "course": asdict(self.course),
                    "evaluation": asdict(self.evaluation) if self.evaluation else None,
                },
            )

    def _facts(self) -> dict[str, Any]:
        # The end may be moved: a run can be made longer.
        facts = {
            k: v
            for k, v in self.recipe.as_dict().items()
            if k not in ("steps", "patience", "evaluate_every", "evaluate_lines")
        }
        facts |= {"workers": self.workers.count, "vocabulary": self.vocabulary.size}
        return facts | {"device": self.device.type} | self._origin


def _finite(gradients: Weights) -> bool:
    total = torch.stack(torch._foreach_norm(list(gradients.values())))
    return bool(total.isfinite().all())
