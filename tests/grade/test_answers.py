"""Inputs that a candidate answers in one go: what is right, what it sees, and where it stops."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.grade.verdicts import grade
from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox.answers import is_close
from trueval.types import Failure, Inputs, Program, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=1.0, memory_mb=256, workers=1)
    await grader.open()
    yield grader
    await grader.close()


def reference(
    *args: tuple[Any, ...], test: str = "", solution: str = "", **given: Any
) -> Reference:
    return Reference(
        problem_id="plus/0",
        entry_point="f",
        test=test,
        canonical_solution=solution,
        inputs=Inputs(args=args, **given),
    )


SHARED: list[int] = []
MATCH = "import re\ndef f(x): return re.search('a', x)"
ORACLE = "def check(args, expected, got):\n    args[0].clear()\n    return got in expected"
HOLD = {
    "equal": ("def f(x): return [x]", reference((1,), (2,), expected=([1], [2])), "passed"),
    "one is wrong": ("def f(x): return x", reference((1,), (2,), expected=(1, 3)), "wrong"),
    "a float": ("def f(x): return x / 3 * 3", reference((0.7,), expected=(0.7,)), "passed"),
    "a float far off": ("def f(x): return x + 1e-5", reference((0.7,), expected=(0.7,)), "wrong"),
    "within its tolerance": (
        "def f(x): return x + 1e-5",
        reference((0.7,), expected=(0.7,), atol=1e-4),
        "passed",
    ),
    "no tolerance for an int": (
        "def f(x): return x + 1",
        reference((10**9,), expected=(10**9,)),
        "wrong",
    ),
    "set-equal": (
        "def f(x): return x[::-1] * 2",
        reference(([1, 2],), expected=([1, 2],), oracle="set-equal"),
        "passed",
    ),
    "set-unequal": (
        "def f(x): return x[1:]",
        reference(([1, 2],), expected=([1, 2],), oracle="set-equal"),
        "wrong",
    ),
    "not none": (
        MATCH,
        reference(("a",), ("b",), expected=(True, False), oracle="not-none"),
        "passed",
    ),
    "not none, and a bool": (
        "def f(x): return 'a' in x",
        reference(("a",), ("b",), expected=(True, False), oracle="not-none"),
        "passed",
    ),
    "none": (
        "def f(x): pass",
        reference(("a",), expected=(True,), oracle="not-none"),
        "wrong",
    ),
    "source": (
        "def f(x): return x[0]",
        reference(([1],), ([2],), expected=([1, 3], [2]), oracle=ORACLE),
        "passed",
    ),
    "source that says no": (
        "def f(x): return 9",
        reference(([1],), expected=([1, 3],), oracle=ORACLE),
        "wrong",
    ),
    "changed arguments": (
        "def f(x):\n    x.append(1)\n    return len(x)",
        reference(*((SHARED,),) * 5, expected=(1,) * 5),
        "passed",
    ),
    "always equal": (
        "class A:\n    def __eq__(self, other): return True\ndef f(x): return A()",
        reference((1,), expected=(1,)),
        "wrong",
    ),
    "a float that lies": (
        "class F(float):\n    def __eq__(self, other): return True\n"
        "    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__\n"
        "def f(x): return F(9)",
        reference((1.5,), expected=(1.5,)),
        "wrong",
    ),
    "raises": ("def f(x): return 1 / x", reference((1,), (0,), expected=(1, 0)), "error"),
    "exits": ("import os\ndef f(x): os._exit(0)", reference((1,), expected=(1,)), "crashed"),
    "exits at the end": (
        "import os\ndef f(x): return x if x < 3 else os._exit(0)",
        reference((1,), (2,), (3,), expected=(1, 2, 3)),
        "crashed",
    ),
    "sys.exit": ("import sys\ndef f(x): sys.exit(0)", reference((1,), expected=(1,)), "crashed"),
    "does not load": ("1 / 0", reference((1,), expected=(1,)), "error"),
    "has no entry point": ("x = 1", reference((1,), expected=(1,)), "error"),
    "the test fails, inputs hold": (
        "def f(x): return x",
        reference((1,), expected=(1,), test="def check(c): assert c(1) == 2"),
        "wrong",
    ),
    "the test holds, inputs fail": (
        "def f(x): return x",
        reference((1,), expected=(2,), test="def check(c): assert c(1) == 1"),
        "wrong",
    ),
    "both hold": (
        "def f(x): return x",
        reference((1,), (2,), expected=(1, 2), test="def check(c): assert c(1) == 1"),
        "passed",
    ),
    "more answers than calls": (
        "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'\\0\\0\\0\\2vN' * 3)\n"
        "    except OSError: pass\ndef f(x): pass",
        reference((1,), (2,), expected=(None, None)),
        "crashed",
    ),
}


@pytest.mark.parametrize(("source", "tests", "verdict"), HOLD.values(), ids=HOLD)
async def test_every_answer_has_to_be_right(
    grader: FunctionalGrader, source: str, tests: Reference, verdict: str
) -> None:
    result = await grade(grader, source, tests)
    assert result.verdict == verdict, result
    assert result.trust == "split"


NAN, INF = math.nan, math.inf
CLOSE = [
    (1.0, 1.0 + 5e-7, 0.0, True),
    (1.0, 1.0 + 5e-6, 0.0, False),
    ([1.0, 2.0], [1.0, 2.0 + 1e-7], 0.0, True),
    ((1.0,), [1.0 + 1e-9], 0.0, False),
    ([1.0, "a"], [1.0, "a"], 1e-6, True),
    ([1.0, "a"], [1.0, "b"], 1e-6, False),
    ([[1.0], [2.0, 3.0]], [[1.0], [2.0, 3.0 + 1e-8]], 1e-6, True),
    ([[1.0], [2.0]], [[1.0], [2.0, 3.0]], 1e-6, False),
    (3, 3.0 + 1e-9, 1e-6, False),
    (1e300, INF, 1e-6, False),
    (INF, 1e300, 1e-6, False),
    ([INF], [INF], 1e-6, True),
    ([NAN], [NAN], 1e-6, False),
    ([10**400], [1.0], 1e-6, False),
    (None, 1.0, 1e-6, False),
]


@pytest.mark.parametrize(("got", "expected", "atol", "close"), CLOSE)
async def test_floats_are_as_near_as_evalplus_asks(
    got: Any, expected: Any, atol: float, close: bool
) -> None:
    assert is_close(got, expected, atol) is close
    np = pytest.importorskip("numpy")
    if "a" not in str(expected) or close:
        tolerance = atol or 1e-6
        try:
            theirs = type(got) is type(expected) and bool(
                np.allclose(got, expected, rtol=1e-7, atol=tolerance)
            )
        except (TypeError, ValueError, OverflowError):
            return  # what it refuses fails there as well
        assert theirs is close


async def test_the_canonical_solution_says_what_is_expected_once(grader: FunctionalGrader) -> None:
    tests = reference((2,), (3,), solution="def f(x): return x * x")
    assert (await grade(grader, "def f(x): return x ** 2", tests)).passed
    assert (await grade(grader, "def f(x): return x + 2", tests)).verdict == "wrong"


@pytest.mark.parametrize(
    "solution",
    [
        "def f(x): 1 / 0",
        "def f(x): return object()",
        "def f(x):\n    while True: pass",
        "import os; os._exit(0)",
        "def f(x): return len(bytearray(2**28 - 2**20))",
    ],
)
async def test_a_solution_that_cannot_answer_is_no_verdict(
    grader: FunctionalGrader, solution: str
) -> None:
    tests = reference((1,), solution=solution)
    result = await grader.grade(Program(source="def f(x): return x"), tests)
    assert isinstance(result, Failure), result
    assert "canonical" in result.message


async def test_the_first_miss_ends_it_and_all_inputs_share_one_limit(
    grader: FunctionalGrader,
) -> None:
    slow = "import time\ndef f(x):\n    end = time.process_time() + x\n"
    slow += "    while time.process_time() < end: pass\n"
    tests = reference((0.0,), *[(0.3,)] * 9, expected=(1, *[None] * 9))
    firsts = [await grade(grader, slow, tests) for _ in range(5)]
    assert {(first.verdict, first.cause) for first in firsts} == {("wrong", "wrong")}
    # The least of several: time in which others had the cores is no answer's.
    assert min(first.duration_s for first in firsts) < 0.3
    tests = reference(*[(0.3,)] * 9, expected=(None,) * 9)
    together = await grade(grader, slow, tests)
    assert (together.verdict, together.cause) == ("timeout", "timeout-cpu"), together


async def test_expected_values_are_not_in_the_candidate(grader: FunctionalGrader) -> None:
    source = """
import gc
def f(x):
    numbers = [i for o in gc.get_objects() if type(o) is tuple for i in o if type(i) is int]
    return [i for i in numbers if i > 77_000 and i < 78_000]
"""
    result = await grade(grader, source, reference((1,), (2,), expected=(77_124, 77_124)))
    assert result.verdict == "wrong"
    assert result.failing_call is not None
    assert "77124" not in result.failing_call.got


@pytest.mark.parametrize(
    "given",
    [{"args": ()}, {"args": ((1,),), "expected": ()}, {"args": ((object(),),)}],
)
async def test_inputs_that_make_no_test_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Inputs(**given)


async def test_a_thousand_inputs_take_less_than_a_thousand_calls(grader: FunctionalGrader) -> None:
    source = "def f(x): return x + 1"
    batch = reference(*[(i,) for i in range(1000)], expected=tuple(range(1, 1001)))
    body = "def check(c):\n    for i in range(1000): assert c(i) == i + 1\n"
    single = Reference(problem_id="p", entry_point="f", test=body, canonical_solution="")
    together = [(await grade(grader, source, batch)).duration_s for _ in range(5)]
    apart = [(await grade(grader, source, single)).duration_s for _ in range(5)]
    assert min(together) < min(apart)
