"""Calls that are made ahead of a test: those that it makes, and no verdict depends on them."""

from __future__ import annotations

import textwrap
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from tests.grade.verdicts import grade
from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox import codec, foresight, wire
from trueval.grade.sandbox.references import call_request
from trueval.grade.sandbox.suites import Suite
from trueval.types import Inputs, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")


def suite(test: str, *, style: str = "check", prelude: str = "") -> Suite:
    """The suite of a test, with what it foresees."""
    spec: dict[str, Any] = {"entry": "f", "test": textwrap.dedent(test), "style": style}
    found = Suite({**spec, "prelude": prelude, "solution": "", "inputs": ()})
    assert not found.broken
    found.foresee()
    return found


def calls(*arguments: object) -> tuple[bytes, ...]:
    return tuple(call_request((one,), {}) for one in arguments)


FORESEEN = {
    "asserts in a row": (
        "def check(candidate):\n assert candidate(1) == 2\n assert candidate('a') != 3",
        calls(1, "a"),
    ),
    "what is made of an answer": (
        "def check(candidate):\n"
        " assert abs(candidate(1) - 0.5) < 1e-6\n assert round(candidate(2), 2) == 1\n"
        " assert candidate(3)[0] in (1, 2)\n assert not candidate(4) is None",
        calls(1, 2, 3, 4),
    ),
    "drawn arguments, which are the same each time": (
        "import random\ndef check(candidate):\n"
        " for _ in range(2): assert candidate(random.randint(0, 9)) is not None",
        calls(6, 6),
    ),
    "up to where the answer matters": (
        "def check(candidate):\n assert candidate(1) == 1\n"
        " assert isinstance(candidate(2), int)\n assert candidate(3)",
        calls(1, 2),
    ),
    "not what an answer is part of": (
        "def check(candidate):\n assert candidate(1) == 1\n assert candidate(candidate(2)) == 1",
        calls(1, 2),
    ),
    "as many as pay": (
        "def check(candidate):\n for i in range(100): assert candidate(i)",
        calls(*range(foresight.MOST_REQUESTS)),
    ),
    "as few as fit": (
        "def check(candidate):\n assert candidate(1)\n assert candidate('x' * 10**6)",
        calls(1),
    ),
    "no more than it takes a loop to see that it has no end": (
        "def check(candidate):\n a = candidate(1)\n while a > 0: a = a - 1",
        calls(1),
    ),
    "nothing of a test that ends at once": ("raise SystemExit", ()),
}


@pytest.mark.parametrize("case", FORESEEN)
async def test_what_a_test_will_ask_is_known_before(case: str) -> None:
    test, expected = FORESEEN[case]
    assert suite(test).foreseen == expected


async def test_bare_asserts_are_foreseen_too() -> None:
    test = "import re\nassert f(1) == 2\nassert f(re.compile('a'))\nassert not f(3)"
    found = suite(test, style="asserts").foreseen
    assert found[0] == call_request((1,), {})
    assert found[-1] == wire.TRUTH + call_request((3,), {})


# --------------------------------------------------------------------------- verdicts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=1.0, memory_mb=256, workers=1)
    await grader.open()
    yield grader
    await grader.close()


def reference(body: str) -> Reference:
    test = f"def check(candidate):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
    return Reference(problem_id=body, entry_point="f", test=test, canonical_solution="")


THREE = "assert candidate(1) == 1\nassert candidate(2) == 2\nassert candidate(3) == 3"
THE_ANSWER = wire.packed(wire.VALUE + codec.encode(3))
VERDICTS = {
    "right": ("def f(x): return x", THREE, "passed", ""),
    "wrong, and then without an end": (
        "def f(x):\n  if x == 1: return 0\n  while True: pass",
        THREE,
        "wrong",
        "",
    ),
    "wrong, and then gone": (
        "import os\ndef f(x): return 0 if x == 1 else os._exit(0)",
        THREE,
        "wrong",
        "",
    ),
    "wrong, and much memory where it would not have been asked": (
        "def f(x): return 0 if x == 1 else len(bytearray(400_000_000)) and 0",
        "import time\nfirst = candidate(1)\ntime.sleep(0.5)\nassert first == 1\ncandidate(2)",
        "wrong",
        "",
    ),
    "right, and then gone": (
        "import os\ndef f(x): return x if x < 3 else os._exit(0)",
        THREE,
        "crashed",
        "exited 0",
    ),
    "right, and then without an end": (
        "def f(x):\n  while x == 3: pass\n  return x",
        THREE,
        "timeout",
        "",
    ),
    "right, and then an exception": (
        "def f(x):\n  if x == 2: raise KeyError(x)\n  return x",
        THREE,
        "error",
        "KeyError",
    ),
    "an answer before its own": (
        f"import os\ndef f(x):\n  if x == 3: os.write(3, {THE_ANSWER!r})\n  return x % 3",
        THREE,
        "crashed",
        "no answer",
    ),
    "another question for another answer": (
        "seen = []\ndef f(x):\n  seen.append(x)\n  return len(seen)",
        "if candidate(1) == 1:\n    assert candidate(5) == 2\nelse:\n    assert candidate(6) == 0",
        "passed",
        "",
    ),
    "the other way": (
        "seen = []\ndef f(x):\n  seen.append(x)\n  return 7 if seen == [1] else seen",
        "if candidate(1) == 1:\n    assert candidate(5)\nelse:\n    assert candidate(6) == [1, 6]",
        "passed",
        "",
    ),
    "fewer questions": (
        "seen = []\ndef f(x):\n  seen.append(x)\n  return len(seen) - 1",
        "while candidate(1):\n    pass\nassert candidate(2) == 1",
        "passed",
        "",
    ),
    "arguments that the program changes": (
        "def f(x):\n  x.append(len(x))\n  return len(x)",
        "x = [1]\nassert candidate(x) == 2\nassert candidate(x) == 3\nassert x == [1, 1, 2]",
        "passed",
        "",
    ),
    "a test that catches what it did not expect": (
        "def f(x): return 7",
        "try:\n    ok = candidate(1) == 1\n    assert candidate(2 if ok else 3) == 7\n"
        "except BaseException:\n    assert False\n",
        "passed",
        "",
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
async def test_verdicts_are_those_of_one_call_after_another(
    grader: FunctionalGrader, case: str
) -> None:
    source, body, verdict, detail = VERDICTS[case]
    for _ in range(2):  # also once what was foreseen has turned out otherwise
        result = await grade(grader, source, reference(body))
        assert result.verdict == verdict, result
        assert detail in result.detail, result


async def test_a_wrong_answer_is_told_without_waiting_for_the_others(
    grader: FunctionalGrader,
) -> None:
    source = "import time\ndef f(x):\n  if x > 1: time.sleep(60)\n  return 0"
    started = time.monotonic()
    assert (await grade(grader, source, reference(THREE))).verdict == "wrong"
    assert time.monotonic() - started < 20  # nowhere near asleep for two limits, let alone a minute


async def test_the_failing_call_is_the_one_that_failed(grader: FunctionalGrader) -> None:
    result = await grade(grader, "def f(x): return x % 2", reference(THREE))
    assert result.failing_call is not None
    assert result.failing_call.call == "f(2)"
    assert result.failing_call.got == "0"


async def test_inputs_after_a_test_that_asked_less_get_their_own_answers(
    grader: FunctionalGrader,
) -> None:
    body = "if candidate(1) == 5:\n    assert candidate(2) == 5"
    inputs = Inputs(args=((4,), (5,)), expected=(4, 5))
    tests = replace(reference(body), inputs=inputs)
    slow = "import time\ndef f(x):\n  time.sleep(0.2 * (x == 2))\n  return x"
    assert (await grade(grader, slow, tests)).verdict == "passed"
