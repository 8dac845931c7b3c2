"""Rows of a benchmark: JSON Lines in, problems and references out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from trueval.errors import DataError
from trueval.stops import cut_at_stop
from trueval.types import Hole, Kind, Metric, Problem, Reference, TaskData

Row = Mapping[str, Any]

COMPLETION_STOP = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```")
"""Where a completion leaves its function: the stop sequences of bigcode-evaluation-harness; the
Codex paper's five (Chen et al. 2021) are among them."""


class Facts(TypedDict, total=False):
    """What `TaskData` says of a benchmark beside its problems."""

    name: str
    kind: Kind
    digest: str
    source: str
    license: str
    stop: tuple[str, ...]
    hole: Hole
    metrics: tuple[Metric, ...]


def read_rows(raw: bytes, *, where: str, needs: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The objects of JSON Lines. Raises `DataError` with a line that is none or lacks a field."""
    rows = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}, line {number} is not a JSON object")
        for field in needs:
            if field not in row:
                raise DataError(
                    f"{where}, line {number} has no field {field!r}",
                    hint=f"it has: {', '.join(row) or 'none'}; is it the file of another task?",
                )
        rows.append(row)
    return rows


def write_rows(rows: Iterable[Row]) -> bytes:
    """Rows as JSON Lines, by the defaults of `json.dumps`, as most benchmarks are published."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def sha256(raw: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(raw).hexdigest()


def make_task(pairs: Iterable[tuple[Problem, Reference]], **facts: Unpack[Facts]) -> TaskData:
    """A benchmark of problems with their references. Raises `DataError` for none, or one twice."""
    references: dict[str, Reference] = {}
    problems = []
    for problem, reference in pairs:
        if problem.problem_id in references:
            raise DataError(f"{facts['name']} has the problem {problem.problem_id!r} twice")
        references[problem.problem_id] = reference
        problems.append(problem)
    if not problems:
        raise DataError(f"{facts['name']} has no problems")
    return TaskData(problems=tuple(problems), references=references, **facts)


def completion_pair(row: Row) -> tuple[Problem, Reference]:
    """One row in HumanEval's format."""
    problem = Problem(
        problem_id=row["task_id"], prefix=row["prompt"], entry_point=row["entry_point"]
    )
    reference = Reference(
        problem_id=row["task_id"],
        entry_point=row["entry_point"],
        test=row["test"],
        canonical_solution=row["canonical_solution"],
        prelude=row["prompt"],
    )
    return problem, reference


def completion_task(raw: bytes, *, name: str, source: str, license: str) -> TaskData:
    """A completion benchmark from its JSON Lines as published (HumanEval's fields)."""
    needs = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
    return make_task(
        map(completion_pair, read_rows(raw, where=name, needs=needs)),
        name=name,
        kind="completion",
        digest=sha256(raw),
        source=source,
        license=license,
        stop=COMPLETION_STOP,
    )


def harmless_stops(stops: Sequence[str], solutions: Iterable[str]) -> tuple[str, ...]:
    """The stop sequences that cut no canonical solution: a right answer has to be able to end."""
    left = list(stops)
    for solution in solutions:
        if cut_at_stop(solution, left) != solution:
            left = [stop for stop in left if cut_at_stop(solution, (stop,)) == solution]
    return tuple(left)
