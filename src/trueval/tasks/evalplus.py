"""HumanEval+ and MBPP+ (EvalPlus, Liu et al. 2023): many more inputs for the same problems.

Graded as EvalPlus grades: each answer is held against what the canonical solution returns, for
the benchmark's own inputs and the added ones. Asserts are not run beside them: their calls are
among the inputs, and where EvalPlus accepts more than one answer they would not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from trueval.errors import DataError
from trueval.tasks import sources
from trueval.tasks.mbpp import STOP as MBPP_STOP
from trueval.tasks.published import Published, lines_of
from trueval.tasks.rows import COMPLETION_STOP, Row, harmless_stops, make_task, read_rows, sha256
from trueval.types import Inputs, Problem, Reference, TaskData

FIELDS = (
    "task_id",
    "prompt",
    "entry_point",
    "canonical_solution",
    "base_input",
    "plus_input",
    "atol",
)
Args = list[Any]


class HumanEvalPlus:
    """HumanEval's 164 functions with about 80 times as many tests."""

    name = sources.HUMANEVAL_PLUS.task
    summary = "HumanEval's 164 functions on EvalPlus's inputs (completion)"
    published = sources.HUMANEVAL_PLUS

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: HumanEvalPlus.jsonl or its .gz, instead of the cached or fetched one."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        return _load(self.published, self._file, COMPLETION_STOP, humaneval_inputs)


class MBPPPlus:
    """378 functions of MBPP with about 35 times as many tests."""

    name = sources.MBPP_PLUS.task
    summary = "378 functions of MBPP on EvalPlus's inputs (completion)"
    published = sources.MBPP_PLUS

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: MbppPlus.jsonl or its .gz, instead of the cached or fetched one."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when they are not."""
        return _load(self.published, self._file, MBPP_STOP, mbpp_inputs)


def _load(
    published: Published, file: str | None, stop: tuple[str, ...], inputs: Callable[[Row], Inputs]
) -> TaskData:
    raw = lines_of(published, file)
    rows = read_rows(raw, where=file or published.task, needs=FIELDS)
    return make_task(
        (_pair(row, inputs) for row in rows),
        name=published.task,
        kind="completion",
        digest=sha256(raw),
        source=published.provenance(),
        license=published.license,
        stop=harmless_stops(stop, (row["canonical_solution"] for row in rows)),
    )


def _pair(row: Row, inputs: Callable[[Row], Inputs]) -> tuple[Problem, Reference]:
    problem = Problem(
        problem_id=row["task_id"], prefix=row["prompt"], entry_point=row["entry_point"]
    )
    try:
        made = inputs(row)
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(f"the inputs of {row['task_id']} cannot be used: {error}") from error
    reference = Reference(
        problem_id=row["task_id"],
        entry_point=row["entry_point"],
        test="",
        canonical_solution=row["canonical_solution"],
        prelude=row["prompt"],
        inputs=made,
    )
    return problem, reference


# --------------------------------------------------------------------------- what is right


def humaneval_inputs(row: Row) -> Inputs:
    """The inputs of a problem of HumanEval+."""
    oracle = "equal"
    if row["entry_point"] == "find_zero":
        oracle = _ROOT.format(atol=float(row["atol"]))
    return Inputs(args=_calls(row, list), atol=float(row["atol"]), oracle=oracle)


def mbpp_inputs(row: Row) -> Inputs:
    """The inputs of a problem of MBPP+, with the types that JSON could not hold."""
    number, name = int(row["task_id"].split("/")[-1]), row["entry_point"]
    oracle = "equal"
    for known in ("set-equal", "not-none"):
        if name in _facts()[known]:
            oracle = known
    if name in _SPECIAL:
        oracle = _SPECIAL[name].format(atol=float(row["atol"]))
    restore = next((_RESTORE[how] for how, numbers in _arguments() if number in numbers), list)
    return Inputs(args=_calls(row, restore), atol=float(row["atol"]), oracle=oracle)


def _calls(row: Row, restore: Callable[[Args], Args]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(restore(args)) for args in [*row["base_input"], *row["plus_input"]])


# HumanEval/32 asks for a root of a polynomial; any will do.
_ROOT = """
def check(args, expected, got):
    total = 0.0
    for coefficient in reversed(args[0]):
        total = total * got + coefficient
    return abs(total) <= {atol!r}
"""

# Problems of MBPP whose sentence can be read in two ways. EvalPlus accepts both.
_SPECIAL: Mapping[str, str] = {
    # Mbpp/164: anything, whatever the answer.
    "are_equivalent": """
def check(args, expected, got):
    return True
""",
    # Mbpp/295: the divisors of 1 may or may not be summed.
    "sum_div": """
def check(args, expected, got):
    return got == expected or got == 0
""",
    # Mbpp/581: the height of a pyramid may be its own or that of a side.
    "surface_Area": """
import math
def check(args, expected, got):
    if got == expected:
        return True
    base, height = args
    side = math.sqrt((base / 2) ** 2 + height**2)
    return abs(got - round(base**2 + 2 * base * side)) <= {atol!r}
""",
    # Mbpp/558: digits may be compared from the right, with zeros before the shorter number.
    "digit_distance_nums": """
def check(args, expected, got):
    width = max(len(str(number)) for number in args)
    left, right = (str(number).zfill(width) for number in args)
    return got == expected or got == sum(abs(int(a) - int(b)) for a, b in zip(left, right))
""",
}


# --------------------------------------------------------------------------- what JSON lost


def _each_tuple(items: Any) -> list[Any]:
    return [tuple(item) for item in items]


def _deep_tuple(value: Any) -> Any:
    return tuple(map(_deep_tuple, value)) if isinstance(value, list) else value


def _set_or_mapping(value: Any) -> Any:
    # As the benchmark has it: what is empty is a mapping.
    return set(value) if isinstance(value, list) and value else {}


def _tuple_or_item(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_RESTORE: Mapping[str, Callable[[Args], Args]] = {
    "tuples": _each_tuple,
    "sequences of tuples": lambda args: [_each_tuple(items) for items in args],
    "tuples of tuples": lambda args: [tuple(_each_tuple(items)) for items in args],
    "first: sequence of tuples": lambda args: [_each_tuple(args[0]), *args[1:2]],
    "first: tuple": lambda args: [tuple(args[0]), *args[1:]],
    "second: tuple": lambda args: [args[0], tuple(args[1])],
    "first: sequence of sets": lambda args: [[_set_or_mapping(item) for item in args[0]]],
    "first: tuple, with tuples in it": lambda args: [tuple(map(_tuple_or_item, args[0]))],
    "first: mapping to tuples": lambda args: [
        {key: tuple(value) for key, value in args[0].items()},
        *args[1:],
    ],
    "float, complex": lambda args: [float(args[0]), complex(args[1])],
    "complex": lambda args: [complex(args[0])],
    "tuples all the way down": lambda args: [_deep_tuple(item) for item in args],
}


def _arguments() -> list[tuple[str, list[int]]]:
    return [*_facts()["arguments"].items()]


@cache
def _facts() -> dict[str, Any]:
    text = resources.files("trueval.tasks").joinpath("evalplus.json").read_text("utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts
