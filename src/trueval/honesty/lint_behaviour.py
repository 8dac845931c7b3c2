"""The lint by behaviour: each function of a text is run against the tests of a benchmark.

It happens in the sandbox, like any program, so a function that looks like no solution is found
when it is one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trueval.errors import InfraError
from trueval.honesty.lint import Finding
from trueval.honesty.lint_index import BenchmarkIndex
from trueval.honesty.lint_source import Function, arity, parsed
from trueval.paths import cache_dir
from trueval.protocols import Grader
from trueval.types import Failure, Program, digest_of, to_json

HEADER = """\
import collections, functools, itertools, math, re, string
from collections import Counter, defaultdict, deque
from typing import *
"""
"""What an example takes for granted: a missing import must not hide a solution."""

Progress = Callable[[int, int], None]


async def lint_behaviour(
    functions: Sequence[Function],
    index: BenchmarkIndex,
    grader: Grader,
    *,
    isolation: Mapping[str, Any],
    progress: Progress = lambda _done, _of: None,
) -> list[Finding]:
    """Findings for the functions that pass all tests of some problem, by run or by memory.

    Raises `InfraError` when one could not be graded.
    """
    found: list[Finding] = []
    for function in functions:
        for problem_id in await _solved(function, index, grader, isolation, progress):
            message = f"{function.name} passes the tests of {problem_id}"
            found += [
                Finding(code="TV108", message=message, line=function.line, problem_id=problem_id)
            ]
    return found


async def _solved(
    function: Function,
    index: BenchmarkIndex,
    grader: Grader,
    isolation: Mapping[str, Any],
    progress: Progress,
) -> list[str]:
    limits = {key: isolation.get(key) for key in ("grading", "timeout_s", "memory_mb", "packages")}
    about = [function.context, function.source, index.task.name, index.task.digest, to_json(limits)]
    file = cache_dir() / "leaks" / f"{digest_of([HEADER, *about])[:24]}.json"
    try:
        known: list[str] = json.loads(file.read_text("utf-8"))
        return known
    except (OSError, ValueError):
        solved = await _run(function, index, grader, progress)
    _remember(file, solved)
    return solved


async def _run(
    function: Function, index: BenchmarkIndex, grader: Grader, progress: Progress
) -> list[str]:
    owed = [*_fitting(function, index)]
    waiting, solved = iter(owed), []
    done = 0

    async def work() -> None:
        nonlocal done
        for problem_id in waiting:
            reference = index.task.references[problem_id]
            program = _program(function, reference.entry_point)
            grade = await grader.grade(program, reference)
            if isinstance(grade, Failure):
                raise InfraError(f"the lint could not run {function.name}: {grade.message}")
            if grade.passed:
                solved.append(problem_id)
            done += 1
            progress(done, len(owed))

    async with asyncio.TaskGroup() as group:
        for _ in range(max(1, grader.concurrency)):
            group.create_task(work())
    return sorted(solved)


def _program(function: Function, entry_point: str) -> Program:
    # Its own source last: of several with one name in a text, this is the one that is asked.
    parts = (HEADER, function.context, function.source, f"{entry_point} = {function.name}")
    return Program(source="\n\n".join(parts) + "\n")


def _fitting(function: Function, index: BenchmarkIndex) -> Iterator[str]:
    """Problems that call with as many arguments as the function takes."""
    tree = parsed(function.source)
    node: Any = tree.body[0] if tree and tree.body else None
    node = node.value if hasattr(node, "value") else node
    if not hasattr(node, "args"):
        return
    fewest, most = arity(node)
    for problem in index.task.problems:
        wanted = index.arities[problem.problem_id]
        if all(fewest <= count <= most for count in wanted):
            yield problem.problem_id


def _remember(file: Path, solved: Sequence[str]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(solved), "utf-8")
    except OSError:
        pass  # a cache that cannot be written costs seconds at the next run
