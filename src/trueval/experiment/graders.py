"""Graders by what settings say of them. It imports no settings, so that grading a file is quick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueval import registry
from trueval.grade.exact_match import InfillGrader
from trueval.protocols import Grader
from trueval.report.wording import LOWER_TRUST
from trueval.types import TaskData

DEFAULT = "functional"


def grader_of(
    grading: Mapping[str, Any], task: TaskData | None = None, *, background: bool
) -> Grader:
    """The grader of these settings, not yet open; for infilling it compares texts too.

    `grading`: what `GradingConfig` holds, or a part of it. Raises `ConfigError`.
    """
    given = {**grading, "background": background}
    grader: Grader = registry.make("graders", given.pop("grader", DEFAULT), given)
    if task is not None and task.kind == "infilling":
        return InfillGrader(grader if "pass" in task.metrics else None, metrics=task.metrics)
    return grader


def grading_assists(task: TaskData, grading: str) -> tuple[str, ...]:
    """What to print beside a score for how it was graded.

    Tests beside the program can be cheated: such a score is never ranked with the others.
    """
    official = grading == "official"
    beside = official or any(one.style == "unittest" for one in task.references.values())
    return ("official grading",) * official + (LOWER_TRUST,) * beside
