"""The null floor: what an infilling task scores with no model at all.

A line may be missing and no test notice; then any answer passes. A score means something only as
far as it is above what nothing, `pass`, or a copy of a neighbouring line gets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trueval.errors import InfraError
from trueval.honesty.controls import code_digest
from trueval.honesty.infill_shapes import NULL_ANSWERS, filled, null_answer
from trueval.paths import cache_dir
from trueval.protocols import Grader
from trueval.types import Failure, Metric, Program, TaskData, digest_of, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class NullFloor:
    """What each answer that takes no model scores."""

    problems: int
    scores: Mapping[str, Mapping[str, float]]
    """Metric -> null answer -> its score in [0, 1]."""

    def best(self, metric: str) -> tuple[str, float]:
        """The null answer that scores highest, and its score."""
        return max(self.scores[metric].items(), key=lambda item: item[1])


async def null_floor(
    task: TaskData,
    grader: Grader,
    *,
    isolation: Mapping[str, Any],
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> NullFloor:
    """Grade the null answers of every problem, or recall what they scored on this machine.

    Raises `InfraError` when one could not be graded.
    """
    about = [task.name, task.digest, [p.problem_id for p in task.problems], task.metrics]
    grading = [type(grader).__qualname__, to_json(isolation), code_digest(type(grader).__module__)]
    digest = digest_of([about, grading, code_digest(__name__)])[:24]
    file = cache_dir() / "floors" / f"{digest}.json"
    try:
        known = json.loads(file.read_text("utf-8"))
        return NullFloor(problems=known["problems"], scores=known["scores"])
    except (OSError, ValueError, KeyError, TypeError):
        floor = await _measured(task, grader, progress)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(to_json(floor)), "utf-8")
    except OSError:
        pass  # a cache that cannot be written costs seconds at the next run
    return floor


async def _measured(
    task: TaskData, grader: Grader, progress: Callable[[int, int], None]
) -> NullFloor:
    total = len(NULL_ANSWERS) * len(task.problems)
    waiting = iter([*_programs(task)])
    sums: dict[Metric, dict[str, float]] = {
        metric: dict.fromkeys(NULL_ANSWERS, 0.0) for metric in task.metrics
    }
    done = 0

    async def work() -> None:
        nonlocal done
        for name, problem_id, program in waiting:
            grade = await grader.grade(program, task.references[problem_id])
            if isinstance(grade, Failure):
                raise InfraError(f"the null floor could not be graded: {grade.message}")
            for metric in task.metrics:
                found = grade.passed if metric == "pass" else grade.matches[metric]
                sums[metric][name] += found
            done += 1
            progress(done, total)

    async with asyncio.TaskGroup() as group:
        for _ in range(max(1, grader.concurrency)):
            group.create_task(work())
    n = len(task.problems)
    return NullFloor(
        problems=n,
        scores={
            metric: {name: found / n for name, found in by_name.items()}
            for metric, by_name in sums.items()
        },
    )


def _programs(task: TaskData) -> Iterator[tuple[str, str, Program]]:
    for name in NULL_ANSWERS:
        for problem in task.problems:
            text = null_answer(name, problem, task.references[problem.problem_id])
            program = Program(source=filled(problem, text), middle=text)
            yield name, problem.problem_id, program
