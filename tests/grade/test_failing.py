"""The call at which a program failed, and why it did, as a machine can read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox.texts import shown, shown_call
from trueval.types import Cause, FailingCall, Grade, Program, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=0.5, memory_mb=256, workers=1)
    await grader.open()
    yield grader
    await grader.close()


async def grade(grader: FunctionalGrader, source: str, body: str, before: str = "") -> Grade:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    test = f"{before}\ndef check(candidate):\n{lines}"
    tests = Reference(problem_id="p", entry_point="f", test=test, canonical_solution="")
    result = await grader.grade(Program(source=source), tests)
    assert isinstance(result, Grade), result
    return result


HELPER = "def same(a, b):\n    assert a == b\n"
CALLS = {
    "the second": ("assert candidate(1) == 1\nassert candidate(2) == 3", ("f(2)", "3", "2")),
    "other side first": ("assert 3 == candidate(2)", ("f(2)", "3", "2")),
    "of a variable": ("x = 2\nassert candidate(x) == [x, x]", ("f(2)", "[2, 2]", "2")),
    "of several lines": ("assert candidate(\n    2\n) == (\n    3\n)", ("f(2)", "3", "2")),
    "less": ("assert candidate(2) < 1", ("f(2)", "< 1", "2")),
    "not the same": ("assert candidate(2) != 2", ("f(2)", "!= 2", "2")),
    "within": ("assert abs(candidate(2) - 3) < 0.1", ("f(2)", "abs(… - 3) < 0.1", "2")),
    "a set": ("assert {candidate(2)} == {3}", ("f(2)", "{…} == {3}", "2")),
    "a truth": ("assert not candidate(2)", ("f(2)", "a false value", "2")),
    "by keyword": ("assert candidate(x=2) == 3", ("f(x=2)", "3", "2")),
    "the program on both sides": (
        "assert candidate(2) == candidate(3)",
        ("f(3)", "… == …", "3"),
    ),
    "by its own name": ("assert f(2) == 3", ("f(2)", "3", "2")),
    "a helper's": ("same(candidate(2), 3)", ("f(2)", "", "2")),
    "a loop": ("for i in range(9):\n    assert candidate(i) == min(i, 4)", ("f(5)", "4", "5")),
    "raised in the test": ("assert candidate(2) == [][0]", ("f(2)", "", "2")),
    "what the program is asked of the other side": (
        "g = candidate\nassert candidate(2) == g(1) + 2",
        ("f(1)", "", "1"),
    ),
}


@pytest.mark.parametrize(("body", "call"), CALLS.values(), ids=CALLS)
async def test_a_failing_call_says_what_was_asked_expected_and_answered(
    grader: FunctionalGrader, body: str, call: tuple[str, str, str]
) -> None:
    result = await grade(grader, "def f(x): return x", body, HELPER)
    asked, expected, got = call
    assert result.failing_call == FailingCall(call=asked, expected=expected, got=got), result
    right = await grade(grader, "def f(x): return x", "assert candidate(2) == 2")
    assert right.failing_call is None


ANSWERS = {
    "an exception": ("def f(x): raise KeyError(x)", "raised KeyError: 2"),
    "no answer": ("import os\ndef f(x): os._exit(0)", ""),
    "sys.exit": ("def f(x): raise SystemExit", "raised SystemExit"),
    "an object": ("class Foo: pass\ndef f(x): return Foo()", "<opaque Foo>"),
    "a control sequence": (r"def f(x): return '\x1b[31m'", r"'\x1b[31m'"),
}


@pytest.mark.parametrize(("source", "got"), ANSWERS.values(), ids=ANSWERS)
async def test_every_kind_of_answer_is_shown(
    grader: FunctionalGrader, source: str, got: str
) -> None:
    result = await grade(grader, source, "assert candidate(2) == 3")
    assert result.failing_call is not None
    assert (result.failing_call.call, result.failing_call.got) == ("f(2)", got)


async def test_an_argument_is_shown_as_it_was_before_the_call(grader: FunctionalGrader) -> None:
    result = await grade(grader, "def f(x): x.clear()", "assert candidate([1, 2]) == 3")
    assert result.failing_call == FailingCall(call="f([1, 2])", expected="3", got="None")


async def test_an_iterator_in_the_test_is_not_moved_for_a_program_that_passes(
    grader: FunctionalGrader,
) -> None:
    body = "it = iter([1, 2])\nassert candidate(1) == next(it)\nassert candidate(2) == next(it)"
    assert (await grade(grader, "def f(x): return x", body)).passed


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**7,
        b"x" * 10**7,
        [0] * 10**6,
        1 << 10**7,
        {i: i for i in range(10**5)},
        [[[[[[[[[[1]]]]]]]]]],
        "\x1b[31m\u202e",
        {1, "a", None},
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_value_of_any_size_is_one_short_line(value: Any) -> None:
    for line in (shown(value), shown_call("f", (value,), {"x": value})):
        assert len(line) <= 200
        assert line.isprintable()


async def test_a_large_value_is_no_more_than_a_short_line_of_the_grade(
    grader: FunctionalGrader,
) -> None:
    result = await grade(grader, "def f(x): return x * 2", "assert candidate('ab' * 10**6) == 'x'")
    assert result.failing_call is not None
    parts = (result.failing_call.call, result.failing_call.expected, result.failing_call.got)
    assert all(0 < len(part) <= 200 for part in parts)


# --------------------------------------------------------------------------- causes

LOOP = "def f(x):\n    while True: pass"
CAUSES: dict[str, tuple[str, str, str, Cause]] = {
    "passed": ("def f(x): return 3", "assert candidate(2) == 3", "passed", ""),
    "wrong": ("def f(x): return x", "assert candidate(2) == 3", "wrong", "wrong"),
    "raised": ("def f(x): return x.y", "assert candidate(2) == 3", "error", "raised"),
    "an assertion": ("def f(x): assert 0", "assert candidate(2) == 3", "error", "raised"),
    "in the test": ("def f(x): pass", "assert candidate(2) < 3", "error", "raised-in-test"),
    "not data": ("f = lambda x: f", "assert candidate(2) == 3", "wrong", "unsupported-value"),
    "handed back": (
        "f = lambda x: f",
        "assert candidate(candidate(2)) == 3",
        "error",
        "unsupported-value",
    ),
    "cpu": (LOOP, "candidate(1)", "timeout", "timeout-cpu"),
    "wall": ("import time\ndef f(x): time.sleep(9)", "candidate(1)", "timeout", "timeout-wall"),
    "checker": (
        "def f(x): return x",
        "candidate(1)\nwhile True: pass",
        "timeout",
        "timeout-checker",
    ),
    "memory": ("def f(x): return [0] * 10**10", "candidate(1)", "out_of_memory", "out-of-memory"),
    "exited": ("import os\ndef f(x): os._exit(3)", "candidate(1)", "crashed", "exited"),
    "sys.exit": ("def f(x): raise SystemExit", "candidate(1)", "crashed", "exited"),
    "signal": ("import ctypes\ndef f(x): ctypes.string_at(0)", "candidate(1)", "crashed", "signal"),
    "no answer": (
        "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'\\0\\0\\0\\1?')\n"
        "    except OSError: pass\ndef f(x): return 3",
        "assert candidate(2) == 3",
        "crashed",
        "protocol",
    ),
    "empty": ("  \n", "candidate(1)", "no_code", "no-code"),
}


@pytest.mark.parametrize(("source", "body", "verdict", "cause"), CAUSES.values(), ids=CAUSES)
async def test_a_cause_says_why_beside_the_verdict(
    grader: FunctionalGrader, source: str, body: str, verdict: str, cause: Cause
) -> None:
    result = await grade(grader, source, body)
    assert (result.verdict, result.cause, result.trust) == (verdict, cause, "split"), result
