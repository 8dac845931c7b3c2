"""Stage 5: from a program to a verdict. Called, `trueval.grade(programs, task)` grades programs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from trueval.types import Failure, Grade


class _CallableStage(ModuleType):
    """A package that can be called: `trueval.grade` is this stage and a function's name."""

    def __call__(
        self, programs: Iterable[Any], task: str = "humaneval", **settings: Any
    ) -> list[Grade | Failure]:
        """The verdicts on programs, in order: `trueval.experiment.batch.grade`."""
        # By name, at the call: a stage knows nothing of what joins the stages. Only the public
        # name leads there, which Python sets to this package as soon as anyone imports it.
        batch: Any = importlib.import_module("trueval.experiment.batch")
        found: list[Grade | Failure] = batch.grade(programs, task, **settings)
        return found


sys.modules[__name__].__class__ = _CallableStage
