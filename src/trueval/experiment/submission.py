"""One program that somebody hands in from Python or over HTTP, checked against its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trueval.errors import DataError, did_you_mean
from trueval.experiment.benchmark import load_benchmark
from trueval.types import Failure, Grade, Problem, Program, Reference, TaskData

SHAPE = 'a sample is {"task_id": "HumanEval/0", "completion": "    return 1"}, or `solution`'
MAX_HINT = 200


class UnknownProblemError(DataError):
    """A problem that the task does not have."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A program with the reference that it is graded by."""

    program: Program
    reference: Reference


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task with its problems by name."""

    data: TaskData
    problems: Mapping[str, Problem]

    def submission(self, item: Any, *, at: str) -> Submission:
        """A `(problem_id, source)` pair, or a mapping with `completion` or `solution`.

        Raises `DataError` that begins with `at` when it is neither.
        """
        if isinstance(item, Mapping):
            return self._of_mapping(item, at)
        match item:
            case (str(problem_id), str(source)):
                return self._whole(self.problem(problem_id, at=at), source)
        hint = f'a pair is ("HumanEval/0", source of a program); {SHAPE}'
        raise DataError(f"{at}: neither a pair of texts nor a mapping", hint=hint)

    def problem(self, problem_id: str, *, at: str) -> Problem:
        """The problem of that name. Raises `UnknownProblemError` with a did-you-mean."""
        if problem_id in self.problems:
            return self.problems[problem_id]
        near = did_you_mean(problem_id[:MAX_HINT], self.problems)
        raise UnknownProblemError(
            f"{at}: the task {self.data.name!r} has no problem {problem_id[:MAX_HINT]!r}",
            hint=near if len(near) < MAX_HINT else near[:MAX_HINT] + " ...",
        )

    def _of_mapping(self, item: Mapping[Any, Any], at: str) -> Submission:
        problem_id = item.get("task_id", item.get("problem_id"))
        if not isinstance(problem_id, str):
            raise DataError(f"{at}: no `task_id`", hint=SHAPE)
        problem = self.problem(problem_id, at=at)
        # As in a samples file: where both stand, `solution` is what was to be run.
        if isinstance(solution := item.get("solution"), str):
            return self._whole(problem, solution)
        if isinstance(completion := item.get("completion"), str):
            return self._filled(problem, completion)
        raise DataError(f"{at}: neither `completion` nor `solution` is a text", hint=SHAPE)

    def _filled(self, problem: Problem, completion: str) -> Submission:
        before, after = problem.glue
        source = problem.prefix + before + completion + after + problem.suffix
        middle = completion if self.data.kind == "infilling" else None
        reference = self.data.references[problem.problem_id]
        return Submission(Program(source=source, middle=middle), reference)

    def _whole(self, problem: Problem, source: str) -> Submission:
        return Submission(Program(source=source), self.data.references[problem.problem_id])


@lru_cache(maxsize=32)
def load_task(name: str) -> LoadedTask:
    """The task of that name, read once a process. Raises `ConfigError` with a did-you-mean."""
    data = load_benchmark(name)
    return LoadedTask(data, {problem.problem_id: problem for problem in data.problems})


def verdict_json(problem_id: str, grade: Grade | Failure) -> dict[str, Any]:
    """A verdict as the plain data that `trueval grade` writes: `infra` when there is none."""
    found: dict[str, Any] = {"task_id": problem_id}
    if isinstance(grade, Failure):
        return {**found, "passed": None, "verdict": "infra", "detail": grade.message}
    return {
        **found,
        "passed": grade.passed,
        "verdict": grade.verdict,
        "cause": grade.cause,
        "detail": grade.detail,
        "trust": grade.trust,
        "duration_s": round(grade.duration_s, 6),
        **({"split_verdict": grade.split_verdict} if grade.split_verdict else {}),
    }
