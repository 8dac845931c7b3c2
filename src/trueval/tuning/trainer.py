"""The training loop: steps, evaluations, checkpoints, and an end in time.

A run of a number of steps is a function of its recipe and data: interrupted and resumed, on one
machine with one number of threads, it gives the same weights bit for bit. A run of a number of
minutes follows the clock, so it is not; time that a run does not work does not count.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from trueval.errors import ConfigError
from trueval.tuning.batches import Batches, Tokens
from trueval.tuning.checkpoint import load_state, save_state
from trueval.tuning.curves import Curves
from trueval.tuning.evaluation import Evaluation, Evaluator
from trueval.tuning.gradients import Feed, Workers, explain_not_finite, step_gradients
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


@dataclass(slots=True)
class Course:
    """How far a training is."""

    step: int = 0
    tokens: int = 0
    hidden: int = 0
    """Tokens that carried loss."""
    seconds: float = 0.0
    """Time at work, over all runs."""
    progress: float = 0.0
    loss: float = math.nan
    """Of training, smoothed."""
    evaluations: int = 0
    evaluated_at: int = 0
    """The step of the last one."""
    best: float = math.inf
    """The lowest validation loss."""
    worse: int = 0
    """Evaluations since then."""
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When a training ends; of two given ends, the one that comes first."""

    steps: int | None = None
    minutes: float | None = None

    def progress(self, course: Course) -> float:
        """Share of the training that is over."""
        by_steps = course.step / self.steps if self.steps else 0.0
        # Time for the last evaluation and the model's files is set aside.
        limit = max(1.0, (self.minutes or 0) * 60 - min(20.0, (self.minutes or 0) * 3))
        return max(by_steps, course.seconds / limit if self.minutes else 0.0)


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
        watch: Callable[[Course], None] = lambda _: None,
        said: Callable[[Course, Evaluation], None] = lambda _, __: None,
    ) -> None:
        """`start`: master weights to begin with, instead of random ones. `watch` is called after
        each step, `said` after each evaluation.
        """
        self.recipe, self.out, self.vocabulary = recipe, out, vocabulary
        self.ending = ending or Ending(steps=recipe.steps)
        self.device = device or torch.device("cpu")
        self.workers = workers or Workers()
        self.course, self.stop = Course(), False
        self._dtype, self._watch, self._said = dtype, watch, said
        shape = recipe.shape
        if shape.vocabulary < vocabulary.size:
            raise ConfigError(
                f"the recipe's vocabulary is {shape.vocabulary}, the data's {vocabulary.size}",
                hint=f"--set shape.vocabulary={vocabulary.size}",
            )
        on_gpu = self.device.type == "cuda"
        size = recipe.cuda_pass_tokens if on_gpu else recipe.pass_tokens
        self._plain = Plain(compiled=compiled) if on_gpu else None
        self.master = {
            name: weight.to(self.device)
            for name, weight in (start or initial(shape, recipe.seed)).items()
        }
        self.optimisation = Optimisation(recipe.optimiser, self.master, shape)
        slack = MOST_JOINS if recipe.mixture.edits else 0
        batches = Batches(train, size=size, context=shape.context, seed=recipe.seed, slack=slack)
        count = self.workers.count
        self._feed = Feed(
            batches,
            vocabulary,
            recipe.mixture,
            seed=recipe.seed,
            ahead=12 if on_gpu else 0,
            stride=count,
        )
        self._passes = max(1, round(recipe.batch_tokens / (size * count)))
        self._step_tokens = self._passes * size * count
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
        if state["facts"] != mine:
            key = next(k for k in mine if state["facts"].get(k) != mine[k])
            raise ConfigError(
                f"{self.out} was begun otherwise: {key} was {state['facts'].get(key)!r} and is now"
                f" {mine[key]!r}",
                hint="resume with the same recipe and data, or begin in another folder",
            )
        for name, weight in state["master"].items():
            self.master[name].copy_(weight)
        self.optimisation.load(state["optimiser"])
        self.course = Course(**state["course"])
        # The end may have been moved since.
        self.course.progress = self._own_progress = self.ending.progress(self.course)
        stopped_early = 0 < self.recipe.patience <= self.course.worse
        self.course.done = self.course.progress >= 1.0 or stopped_early
        if self.leads:
            self.curves.keep_until(self.course.step)

    def run(self) -> bool:
        """Train to the end, or until `stop` is set: whether the end was reached."""
        (self.out / "training").mkdir(parents=True, exist_ok=True)
        course, saved, logged = self.course, time.monotonic(), 0.0
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

    def _measure_time(self, begun: float) -> None:
        self.course.seconds += time.monotonic() - begun
        own = self.ending.progress(self.course)
        # Steps are counted alike by all workers; of clocks the first worker's counts.
        if self.workers.count == 1 or not self.ending.minutes:
            self.course.progress = own
            self.course.done |= own >= 1.0
        self._own_progress = own

    def _step(self) -> float:
        """One step: the norm of its gradient."""
        course, recipe = self.course, self.recipe
        working = working_copy(self.master, self._dtype, self.device)
        first = course.step * self._passes * self.workers.count + self.workers.rank
        numbers = [first + i * self.workers.count for i in range(self._passes)]
        tell = (self._own_progress, float(self.stop)) if self.workers.count > 1 else ()
        sums = step_gradients(
            working, recipe.shape, self._feed, numbers, self.workers, plain=self._plain, tell=tell
        )
        if tell:
            # All follow the first worker's clock, and stop after the same step.
            course.progress, self._stopping = sums.agreed[0], bool(sums.agreed[1])
            course.done |= course.progress >= 1.0
        gradients = master_gradients(self.master, sums.gradients)
        if not math.isfinite(sums.loss) or not _finite(gradients):
            raise explain_not_finite(
                course.step, self.master, working, recipe.shape, self._feed, numbers, self._plain
            )
        norm: float = self.optimisation.step(
            self.master, gradients, recipe.optimiser.factor(course.progress)
        )
        course.step += 1
        course.tokens += self._step_tokens
        course.hidden += sums.hidden
        known = math.isfinite(course.loss)
        course.loss = course.loss + 0.02 * (sums.loss - course.loss) if known else sums.loss
        return norm

    _own_progress = 0.0
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
        if self.recipe.patience and course.worse >= self.recipe.patience:
            course.done = True
        if self.leads:
            self.curves.add(
                step=course.step, tokens=course.tokens, minutes=course.seconds / 60, **asdict(found)
            )
            self._said(course, found)

    def _log(self, norm: float) -> None:
        course = self.course
        self.curves.add(
            step=course.step,
            tokens=course.tokens,
            minutes=round(course.seconds / 60, 4),
            loss=round(course.loss, 5),
            rate=self.recipe.optimiser.rate * self.recipe.optimiser.factor(course.progress),
            norm=round(norm, 4),
        )

    def save(self) -> None:
        """Write the checkpoint that `resume` goes on from."""
        if self.leads:
            save_state(
                self.out,
                {
                    "facts": self._facts(),
                    "master": self.master,
                    "optimiser": self.optimisation.state(),
                    "course": asdict(self.course),
                },
            )

    def _facts(self) -> dict[str, Any]:
        # The end may be moved: a run can be made longer.
        facts = {
            k: v
            for k, v in self.recipe.as_dict().items()
            if k not in ("steps", "patience", "evaluate_every", "evaluate_lines")
        }
        return facts | {"workers": self.workers.count, "vocabulary": self.vocabulary.size}


def _finite(gradients: Weights) -> bool:
    total = torch.stack(torch._foreach_norm(list(gradients.values())))
    return bool(total.isfinite().all())
