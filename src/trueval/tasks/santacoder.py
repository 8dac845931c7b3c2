"""SantaCoder's fill-in-the-middle benchmark (Ben Allal et al. 2023): one line is missing.

It was made from MultiPL-E programs that pass their tests. It is published without the newlines
around the hole; `Problem.glue` has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from trueval.errors import DataError
from trueval.tasks import sources
from trueval.tasks.formats import as_lines, read_file
from trueval.tasks.published import lines_of
from trueval.tasks.python_source import before_function, last_function, without_own_call
from trueval.tasks.rows import Facts, Row, make_task, read_rows, sha256, write_rows
from trueval.types import Metric, Problem, Reference, TaskData

Language = Literal["", "py", "java", "js"]

PY_SHA256 = "a257bf83"
"""What is known of the digest of the Python rows alone, written as the whole set is."""

MATCHES: tuple[Metric, ...] = ("first-line", "line-with-indent", "whole-text", "edit-similarity")
_LINE_NUMBER = re.compile(r"-L(\d+)$")


class SantaCoderFIM:
    """4792 single lines in Python, Java and JavaScript, by exact match."""

    name = "santacoder-fim"
    summary = "4792 single lines missing in Python, Java and JavaScript (infilling, exact match)"
    language: ClassVar[Language] = ""
    published = sources.SANTACODER

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: the dataset as parquet or JSON Lines, instead of the cached or fetched one."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        rows, digest, source = self._rows()
        runs = self.language == "py"
        facts: Facts = {
            "name": self.name,
            "kind": "infilling",
            "digest": digest,
            "source": source,
            "license": self.published.license,
            "hole": "line",
            # Exact match leads although Python has tests: it is what the authors published, and a
            # line that reads differently but passes shows in the second number.
            "metrics": (*MATCHES[:1], "pass", *MATCHES[1:]) if runs else MATCHES,
        }
        return make_task((_pair(row, runs=runs) for row in rows), **facts)

    def _rows(self) -> tuple[Sequence[Row], str, str]:
        """The rows of the language, their digest, and where they are from."""
        source = self.published.provenance()
        alone = self._python_alone()
        if alone is not None:
            source = f"{self.published.origin}, Python only; SHA-256 begins as published"
        raw = lines_of(self.published, self._file) if alone is None else alone
        rows: Sequence[Row] = read_rows(raw, where=self.name, needs=self.published.columns)
        if self.language:
            rows = [row for row in rows if row["language"] == self.language]
            raw = write_rows(rows)
        return rows, sha256(raw), source

    def _python_alone(self) -> bytes | None:
        """The user's file, when it has the Python rows and no others."""
        if self._file is None or self.language != "py":
            return None
        columns = self.published.columns
        raw = as_lines(read_file(self._file), columns=columns, where=self._file)
        return raw if sha256(raw).startswith(PY_SHA256) else None


class SantaCoderPython(SantaCoderFIM):
    """1043 single lines of Python, by exact match and by their tests."""

    name = "santacoder-fim-py"
    summary = "1043 single lines missing in Python (infilling, exact match and tests)"
    holes_in_python: ClassVar = True
    language = "py"


class SantaCoderJava(SantaCoderFIM):
    """1780 single lines of Java, by exact match."""

    name = "santacoder-fim-java"
    summary = "1780 single lines missing in Java (infilling, exact match)"
    language = "java"


class SantaCoderJavaScript(SantaCoderFIM):
    """1969 single lines of JavaScript, by exact match."""

    name = "santacoder-fim-js"
    summary = "1969 single lines missing in JavaScript (infilling, exact match)"
    language = "js"


def _pair(row: Row, *, runs: bool) -> tuple[Problem, Reference]:
    # Names come once a language: the same problem is in up to three.
    problem_id = f"{row['language']}/{row['name']}"
    problem = Problem(
        problem_id=problem_id,
        prefix=row["prompt"],
        suffix=row["suffix"],
        entry_point="",
        glue=glue(row),
    )
    reference = Reference(
        problem_id=problem_id,
        entry_point="",
        test="",
        canonical_solution=row["canonical_solution"],
    )
    return _with_tests(row, problem, reference) if runs else (problem, reference)


def glue(row: Row) -> tuple[str, str]:
    """The newlines that belong before and after the middle.

    The lines before the hole were joined without a last newline, except where there were none:
    then the prompt is the program's own beginning and ends with its newline. The number in the
    name says which line of the program is missing, and so tells the two apart.
    """
    number = _LINE_NUMBER.search(row["name"])
    if number is None:
        raise DataError(
            f"the name {row['name']!r} of santacoder-fim does not end with a line number",
            hint="names look like humaneval-HumanEval_31_is_prime.json-L13",
        )
    is_first = int(number[1]) == row["prompt"].count("\n") + 1
    return ("" if is_first else "\n", "\n")


def _with_tests(row: Row, problem: Problem, reference: Reference) -> tuple[Problem, Reference]:
    before, after = problem.glue
    program = row["prompt"] + before + row["canonical_solution"] + after + row["suffix"]
    test, name = without_own_call(row["tests"])
    if not test:
        raise DataError(f"the tests of {row['name']!r} of santacoder-fim define no `check`")
    entry_point = name or last_function(program)
    return replace(problem, entry_point=entry_point), replace(
        reference,
        entry_point=entry_point,
        test=test,
        prelude=before_function(program, entry_point),
    )
