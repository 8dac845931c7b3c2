"""A user's own problems, from a file of JSON Lines: completion or infilling, tests or none."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trueval.errors import ConfigError, DataError, did_you_mean
from trueval.tasks.formats import as_lines, read_file
from trueval.tasks.python_source import before_function
from trueval.tasks.rows import (
    COMPLETION_STOP,
    Facts,
    harmless_stops,
    make_task,
    read_rows,
    sha256,
)
from trueval.types import Hole, Metric, Problem, Reference, Style, TaskData

Text = Annotated[str, Field(min_length=1)]

EXAMPLE = '{"task_id": "mine/0", "prompt": "def f(x):\\n", "canonical_solution": "    return x\\n"}'


class Line(BaseModel):
    """One problem. The names are HumanEval's, and those of its infilling sets."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task_id: Text
    prompt: str
    """What comes before the answer."""
    canonical_solution: str
    """The right answer. Controls grade it before any score is believed."""
    suffix: str | None = None
    """What comes after the answer; given, this is infilling."""
    entry_point: str = ""
    """The function that the tests call."""
    test: str = ""
    """Source in the style; empty: answers are compared with the canonical solution."""
    style: Style = "check"
    before_middle: str = ""
    """What a program needs between prompt and answer, and models are not shown."""
    after_middle: str = ""
    """The same between answer and suffix."""

    @model_validator(mode="after")
    def _is_whole(self) -> Line:
        if not (self.prompt or self.suffix or self.canonical_solution):
            raise ValueError("the problem is empty")
        if self.suffix is None and (self.before_middle or self.after_middle):
            raise ValueError("before_middle and after_middle are for infilling, which has a suffix")
        if self.test:
            _check_test(self.test, self.style, self.entry_point)
        return self


class JsonlTask:
    """A user's own problems from a file."""

    name = "jsonl"
    summary = "your own problems: --task FILE.jsonl (completion or infilling, tests or exact match)"

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: the problems, one JSON object a line; .gz may be added."""
        self._file = file

    def load(self) -> TaskData:
        """The problems. Raises `DataError` with the line that is not one."""
        if self._file is None:
            raise ConfigError("the task jsonl needs a file", hint="e.g. --task problems.jsonl")
        return load_file(self._file)


def load_file(file: str | Path) -> TaskData:
    """A benchmark from a user's file. Raises `DataError` with the line that is no problem."""
    raw = as_lines(read_file(file), where=str(file))
    lines = _lines(raw, where=str(file))
    infills, runs = _same_for_all(lines, where=str(file))
    pairs = [_pair(line.content) for line in lines]
    facts: Facts = {
        "name": Path(file).name.removesuffix(".gz").removesuffix(".jsonl"),
        "kind": "infilling" if infills else "completion",
        "digest": sha256(raw),
        "source": f"the file {Path(file).name}",
        "license": "not stated",
    }
    if infills:
        facts["hole"] = hole_of(problem_and_middle(pairs))
    else:
        solutions = [reference.canonical_solution for _, reference in pairs]
        facts["stop"] = harmless_stops(COMPLETION_STOP, solutions)
    facts["metrics"] = metrics_of(facts.get("hole", ""), runs=runs)
    return make_task(pairs, **facts)


def hole_of(pairs: Iterable[tuple[Problem, str]]) -> Hole:
    """What the middles have in common: one line each, whole lines each, or nothing."""
    hole: Hole = "line"
    for problem, middle in pairs:
        before, after = problem.prefix + problem.glue[0], problem.glue[1] + problem.suffix
        starts = not before or before.endswith("\n")
        ends = not after or after.startswith("\n") or middle.endswith("\n")
        if not (starts and ends):
            return "span"
        if "\n" in middle.removesuffix("\n"):
            hole = "lines"
    return hole


def metrics_of(hole: Hole, *, runs: bool) -> tuple[Metric, ...]:
    """What is measured: tests where there are any, and how near the text is to the true one."""
    passes: tuple[Metric, ...] = ("pass",) if runs else ()
    if hole == "line":
        return (*passes, "line-with-indent", "first-line", "whole-text", "edit-similarity")
    return (*passes, "whole-text", "edit-similarity") if hole or not runs else passes


def problem_and_middle(
    pairs: Sequence[tuple[Problem, Reference]],
) -> list[tuple[Problem, str]]:
    """Each problem with the text that was cut out of it."""
    return [(problem, reference.canonical_solution) for problem, reference in pairs]


# --------------------------------------------------------------------------- the lines


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int
    content: Line


def _lines(raw: bytes, *, where: str) -> list[_Numbered]:
    numbers = [n for n, line in enumerate(raw.split(b"\n"), 1) if line.strip()]
    rows = read_rows(raw, where=where)
    if not rows:
        raise DataError(f"{where} has no problems", hint=f"one a line, e.g. {EXAMPLE}")
    return [
        _Numbered(number, _line(row, f"{where}, line {number}"))
        for number, row in zip(numbers, rows, strict=True)
    ]


def _line(row: dict[str, Any], where: str) -> Line:
    try:
        return Line.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(field, Line.model_fields)
            raise DataError(f"{where}: unknown field {field!r}", hint=hint) from error
        if first["type"] == "missing":
            raise DataError(f"{where}: no {field!r}", hint=f"e.g. {EXAMPLE}") from error
        at = f" {field!r}" if field else ""
        message = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{where}: bad problem{at}: {message}") from error


def _same_for_all(lines: Sequence[_Numbered], *, where: str) -> tuple[bool, bool]:
    """Whether all are infilling, and whether all have tests: one score needs one kind."""
    first = lines[0].content
    infills, runs = first.suffix is not None, bool(first.test)
    for line in lines:
        if (line.content.suffix is not None) is not infills:
            what = "a suffix (infilling)", "none (completion)"
        elif bool(line.content.test) is not runs:
            what = "a test", "none (exact match)"
        else:
            continue
        one, other = what if line.content.suffix is not None or line.content.test else what[::-1]
        raise DataError(
            f"{where}, line {line.number} has {one}, and line {lines[0].number} has {other}",
            hint="make a file of each kind: their scores are no one number",
        )
    return infills, runs


def _pair(line: Line) -> tuple[Problem, Reference]:
    problem = Problem(
        problem_id=line.task_id,
        prefix=line.prompt,
        suffix=line.suffix or "",
        entry_point=line.entry_point,
        glue=(line.before_middle, line.after_middle),
    )
    prelude = line.prompt
    if line.suffix is not None:  # a prompt may end anywhere: its helpers are in the whole program
        before = line.prompt + line.before_middle + line.canonical_solution
        prelude = before_function(before + line.after_middle + line.suffix, line.entry_point)
    reference = Reference(
        problem_id=line.task_id,
        entry_point=line.entry_point,
        test=line.test,
        canonical_solution=line.canonical_solution,
        prelude=prelude,
        style=line.style,
    )
    return problem, reference


def _check_test(test: str, style: Style, entry_point: str) -> None:
    """Raise what is wrong with a test, before a run finds it in every sample."""
    if not entry_point:
        raise ValueError("a problem with a test needs an entry_point: the function that it calls")
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"its test is not Python: {error}") from error
    has = {
        "check": any(isinstance(n, ast.FunctionDef) and n.name == "check" for n in tree.body),
        "asserts": any(isinstance(n, ast.Assert) for n in ast.walk(tree)),
        "unittest": any(isinstance(n, ast.ClassDef) for n in tree.body),
    }
    if not has[style]:
        wanted = {
            "check": "define check(candidate)",
            "asserts": "have an assert",
            "unittest": "have a TestCase class",
        }
        others = [name for name, there in has.items() if there]
        guess = f'; did you mean "style": "{others[0]}"?' if others else ""
        raise ValueError(f"its test has to {wanted[style]} in the style {style!r}{guess}")
