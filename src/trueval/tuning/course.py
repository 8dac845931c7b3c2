"""How far a training is, and when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
    skipped: float = 0.0
    """The share of the training left out, as validation got no better."""
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
        return course.skipped + max(by_steps, course.seconds / limit if self.minutes else 0.0)
