"""Runs the true answers of a benchmark through the grader that scores use."""

from __future__ import annotations

import asyncio
from pathlib import Path

from trueval.grade.functional import FunctionalGrader
from trueval.types import Grade, Problem, Program, Reference, TaskData

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
"""Benchmark files beside the checkout, where there are any."""


def whole(problem: Problem, middle: str) -> str:
    """The program that an answer makes."""
    before, after = problem.glue
    return problem.prefix + before + middle + after + problem.suffix


def failing(task: TaskData) -> dict[str, object]:
    """Problem -> what became of its true answer, for each that did not pass."""

    async def grade_all() -> dict[str, object]:
        grader = FunctionalGrader(timeout_s=30.0)
        await grader.open()
        try:
            pairs = [(problem, task.references[problem.problem_id]) for problem in task.problems]
            grades = await asyncio.gather(*(one(grader, *pair) for pair in pairs))
        finally:
            await grader.close()
        return {
            problem.problem_id: grade
            for (problem, _), grade in zip(pairs, grades, strict=True)
            if not (isinstance(grade, Grade) and grade.passed)
        }

    async def one(grader: FunctionalGrader, problem: Problem, reference: Reference) -> object:
        source = whole(problem, reference.canonical_solution)
        return await grader.grade(Program(source=source), reference)

    return asyncio.run(grade_all())
