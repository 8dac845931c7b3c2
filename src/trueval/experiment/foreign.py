"""Samples that others made, as JSON Lines: read as a stream, graded, never all in memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from trueval.errors import DataError, InfraError, StorageError
from trueval.experiment.submission import SHAPE, LoadedTask, verdict_json
from trueval.protocols import Grader
from trueval.score.intervals import cluster_bootstrap, few_informative, wilson
from trueval.score.matches import NAMES
from trueval.score.passk import pass_at_k
from trueval.types import VERDICTS, Estimate, Failure, Grade, Program, TaskData

MAX_RETRIES = 10_000
"""Timeouts kept for grading alone at the end; with more, the machine is not what is slow."""


MAX_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a samples file."""

    number: int
    """Of the line, from 1."""
    problem_id: str
    program: Program


@dataclass(slots=True)
class FileGrades:
    """Counts over a samples file, in memory that grows with problems and not with lines."""

    task: TaskData
    per_problem: dict[str, tuple[int, int]] = field(default_factory=dict)
    """problem_id -> (samples, passed)."""
    verdicts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    """Why programs did not pass."""
    matches: dict[str, Counter[str]] = field(default_factory=dict)
    """Metric -> problem_id -> sum over its samples."""
    rescued: int = 0
    done: int = 0
    differing: list[str] = field(default_factory=list)
    """Lines on which official and split grading differ, up to `MAX_LISTED`."""

    def add(self, row: Row, grade: Grade | Failure) -> None:
        """Count one line."""
        n, c = self.per_problem.get(row.problem_id, (0, 0))
        passed = isinstance(grade, Grade) and grade.passed
        self.per_problem[row.problem_id] = (n + 1, c + passed)
        self.verdicts[grade.verdict if isinstance(grade, Grade) else "infra"] += 1
        self.rescued += isinstance(grade, Grade) and grade.rescued
        if isinstance(grade, Grade) and grade.cause:
            self.causes[grade.cause] += 1
        self.done += 1
        if isinstance(grade, Grade):
            for metric, value in grade.matches.items():
                sums: Any = self.matches.setdefault(metric, Counter())
                sums[row.problem_id] += value
        if isinstance(grade, Grade) and grade.split_verdict and len(self.differing) < MAX_LISTED:
            self.differing.append(
                f"line {row.number}, {row.problem_id}: {grade.verdict}, split {grade.split_verdict}"
            )

    @property
    def missing(self) -> list[str]:
        """Problems without a sample."""
        return [p.problem_id for p in self.task.problems if p.problem_id not in self.per_problem]

    def estimates(self, ks: tuple[int, ...], *, force: bool = False) -> list[Estimate]:
        """The task's metrics over all its problems; pass@k for each k that all have samples for.

        Raises `InfraError` when problems have no sample or samples no verdict, unless forced: then
        those count as not passed.
        """
        infra, missing = self.verdicts["infra"], self.missing
        if (infra or missing) and not force:
            raise InfraError(
                f"no score: {len(missing)} of {len(self.task.problems)} problems have no sample, "
                f"{infra} samples have no verdict",
                hint="--force counts them as not passed",
            )
        ns = [n for n, _ in self.per_problem.values()]
        found: list[Estimate] = []
        for metric in self.task.metrics if ns else ():
            if metric == "pass":
                found += [self._passes(k, ns) for k in ks if k <= min(ns)]
                continue
            sums: Any = self.matches.get(metric, {})
            values = [sums.get(name, 0.0) / n for name, (n, _) in self.per_problem.items()]
            found.append(self._mean(NAMES[metric], values, ns, metric != "edit-similarity"))
        return found

    def _passes(self, k: int, ns: list[int]) -> Estimate:
        values = [pass_at_k(n, c, k) for n, c in self.per_problem.values()]
        return self._mean(f"pass@{k}", values, ns, yes_or_no=True)

    def _mean(self, name: str, values: list[float], ns: list[int], yes_or_no: bool) -> Estimate:
        values = [*values, *[0.0] * len(self.missing)]
        if max(ns) == 1 and yes_or_no:
            low, high = wilson(round(sum(values)), len(values))
            method = "wilson"
        else:
            low, high = cluster_bootstrap(values)
            method = "wilson over problems" if few_informative(values) else "bootstrap"
        if self.missing:
            method += f"; {len(self.missing)} problems without a sample counted as not passed"
        return Estimate(
            metric=name,
            value=sum(values) / len(values),
            low=low,
            high=high,
            level=0.95,
            method=method,
            problems=len(values),
            samples_per_problem=min(ns),
        )

    def outcomes(self) -> dict[str, int]:
        """Samples by what became of them; they sum to the lines of the file."""
        return {name: self.verdicts[name] for name in (*VERDICTS, "infra")}


async def grade_file(
    file: Path,
    task: TaskData,
    grader: Grader,
    *,
    results: IO[str],
    listen: Callable[[FileGrades], None] = lambda _grades: None,
) -> FileGrades:
    """Grade every line and write a result line for each, as they finish.

    `file` is JSON Lines, gzip'd or not, `-` for standard input. Raises `DataError` with the line
    number for a line that is no sample; the results of the lines before it are written.
    """
    grades = FileGrades(task)
    owed: list[Row] = []

    def record(row: Row, grade: Grade | Failure) -> None:
        grades.add(row, grade)
        _write(results, _result(row, grade))
        listen(grades)

    with open_rows(file, task) as rows:

        async def work() -> None:
            for row in rows:
                grade = await grader.grade(row.program, task.references[row.problem_id])
                timed_out = isinstance(grade, Grade) and grade.verdict == "timeout"
                if timed_out and len(owed) < MAX_RETRIES:
                    owed.append(row)
                else:
                    record(row, grade)

        await _all(work, max(1, grader.concurrency))
    for row in owed:
        again = await grader.grade(row.program, task.references[row.problem_id], alone=True)
        record(row, replace(again, alone=True) if isinstance(again, Grade) else again)
    return grades


async def _all(work: Callable[[], Coroutine[Any, Any, None]], count: int) -> None:
    """`count` workers to the end. Where one fails, the others still finish the row they hold."""
    # They share one iterator: an error ends it, so none of them goes on after it.
    ends = await asyncio.gather(*(work() for _ in range(count)), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end


@contextmanager
def open_rows(file: Path, task: TaskData) -> Iterator[Iterator[Row]]:
    """The file's samples as a stream that several workers may share."""
    loaded = LoadedTask(task, {problem.problem_id: problem for problem in task.problems})

    def rows(stream: IO[bytes]) -> Iterator[Row]:
        for number, line in _lines(file, stream):
            if line.strip():
                at = f"{file}, line {number}"
                submission = loaded.submission(_parsed(line, at), at=at)
                yield Row(number, submission.reference.problem_id, submission.program)

    with ExitStack() as closing:
        try:
            stream = _open(file, closing)
        except OSError as error:
            raise DataError(f"cannot read {file}: {error.strerror or error}") from error
        yield rows(stream)


def _open(file: Path, closing: ExitStack) -> IO[bytes]:
    raw: Any = closing.enter_context(file.open("rb")) if str(file) != "-" else sys.stdin.buffer
    packed = raw.peek(2)[:2] == b"\x1f\x8b"
    # The stack closes it: ruff cannot see that.
    stream: Any = closing.enter_context(gzip.open(raw)) if packed else raw  # noqa: SIM115
    return cast("IO[bytes]", stream)


def _lines(file: Path, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for number, line in enumerate(stream, 1):
            yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file}: cannot read on after line {number}: {error}",
            hint="the lines before it are graded; fetch the file again for the rest",
        ) from error


def _parsed(line: bytes, at: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"{at}: not JSON ({error})", hint=SHAPE) from error


def _result(row: Row, grade: Grade | Failure) -> dict[str, Any]:
    found = {"line": row.number, **verdict_json(row.problem_id, grade)}
    return {**found, "rescued": True} if isinstance(grade, Grade) and grade.rescued else found


def _write(results: IO[str], result: Mapping[str, Any]) -> None:
    try:
        results.write(json.dumps(result) + "\n")
    except OSError as error:
        raise StorageError(
            f"cannot write the results: {error.strerror or error}", hint="choose another --output"
        ) from error
