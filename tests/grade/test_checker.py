"""Answers that hurt whoever compares them, the official way to grade, and what a verdict says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from tests.grade import verdicts
from trueval.grade.functional import FunctionalGrader
from trueval.types import Failure, Grade, Inputs, Program, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 0.2
GOOD = "def f(x): return x + 1\n"


def reference(body: str, *, name: str = "p") -> Reference:
    """A reference whose `check` has this body, given in lines."""
    test = "def check(candidate):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    return Reference(problem_id=name, entry_point="f", test=test, canonical_solution="")


SIMPLE = reference("assert candidate(1) == 2\nassert candidate(2) == 3")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=TIMEOUT_S, memory_mb=256, workers=2)
    await grader.open()
    yield grader
    await grader.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def official() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=0.5, memory_mb=256, workers=2, grading="official")
    await grader.open()
    yield grader
    await grader.close()


async def grade(grader: FunctionalGrader, source: str, tests: Reference = SIMPLE) -> Grade:
    return await verdicts.grade(grader, source, tests)


# --------------------------------------------------------------------------- hostile answers

DEEP = "def f():\n    x = []\n    for _ in range({depth}): x = [x]\n    return x"

HOSTILE = {
    "a loop over its number in C": (
        "def f(): return 10**12",
        "sum(range(candidate()))",
        {"timeout"},
    ),
    "a pattern that matches slowly": (
        "def f(): return '(a+)+$'",
        "import re\nassert re.match(candidate(), 'a' * 64 + 'b')",
        {"timeout"},
    ),
    "a list times a number": (
        "def f(): return [0] * 1000, 10**9",
        "x, n = candidate()\nassert list(x) * n == []",
        {"out_of_memory"},
    ),
    "a number for a list's length": (
        "def f(): return 10**9",
        "assert [[]] * candidate() == []",
        {"out_of_memory"},
    ),
    "memory bit by bit": (
        "def f(): return 'x' * 10**6",
        "kept = []\nwhile True: kept.append(candidate() + str(len(kept)) + 'y' * 10**7)",
        {"out_of_memory", "timeout"},
    ),
    "numbers of one hash": (
        "def f(): return {i * (2**61 - 1) for i in range(20_000)}",
        "assert candidate() == {1}",
        {"wrong", "timeout"},
    ),
    "numbers of one hash, in a set of the test's": (
        "def f(): return [i * (2**61 - 1) for i in range(100_000)]",
        "assert set(candidate()) == {1}",
        {"wrong", "timeout"},
    ),
    "an endless range": (
        "def f(): return range(2 * 10**9)",
        "assert list(candidate()) == [1]",
        {"wrong", "error", "timeout", "out_of_memory"},
    ),
    "an endless iterator": (
        "import itertools\ndef f(): return itertools.count()",
        "assert list(candidate()) == [1]",
        {"wrong", "error"},
    ),
    "a list in itself": (
        "def f():\n    x = []\n    x.append(x)\n    return x",
        "x = candidate()\nassert x == [1] and [x] == [[1]]",
        {"wrong", "error"},
    ),
    "nested as deep as may be": (
        DEEP.format(depth=190),
        "assert candidate() == candidate() == 1",
        {"wrong"},
    ),
    "nested too deep": (
        DEEP.format(depth=10**5),
        "assert candidate() == []",
        {"wrong", "error", "crashed"},
    ),
    "a giant string searched": (
        "def f(): return 'a' * 10**7",
        "assert 'a' * 5000 + 'b' in candidate()",
        {"wrong", "timeout"},
    ),
    "a giant number shown": (
        "def f(): return 1 << 8_000_000",
        "assert str(candidate()) == ''",
        {"error"},
    ),
    "a giant exponent": (
        "from decimal import Decimal\ndef f(): return Decimal('1E+999999999')",
        "assert int(candidate()) == 1",
        {"wrong", "error"},
    ),
    "an answer past every limit": (
        "def f(): return ['x' * 10**6 + str(i) for i in range(60)]",
        "assert candidate() == []",
        {"wrong", "error", "timeout"},  # where a fresh page is dear, to make it takes too long
    ),
}


async def test_hostile_answers_cost_their_own_verdict_and_no_other(
    grader: FunctionalGrader,
) -> None:
    mixed = []
    for name, (source, body, _) in HOSTILE.items():
        mixed.append(grade(grader, source, reference(body, name=name)))
        mixed += [grade(grader, GOOD), grade(grader, "def f(x): return x")]
    async with asyncio.timeout(60):
        grades = await asyncio.gather(*mixed)
    for (name, (_, _, allowed)), result in zip(HOSTILE.items(), grades[::3], strict=True):
        assert result.verdict in allowed, (name, result)
    assert [result.verdict for result in grades[1::3]] == ["passed"] * len(HOSTILE)
    assert [result.verdict for result in grades[2::3]] == ["wrong"] * len(HOSTILE)


async def test_a_checker_does_not_keep_the_memory_of_an_answer(grader: FunctionalGrader) -> None:
    source = "def f(): return ['x' * 10**6 + str(i) for i in range(10)]"
    body = "kept = [candidate() for _ in range(3)]\nassert kept == []"
    await asyncio.gather(*(grade(grader, source, reference(body)) for _ in range(8)))
    # Stopped in the middle of it, where no memory is missing yet.
    source, body, _ = HOSTILE["memory bit by bit"]
    await asyncio.gather(*(grade(grader, source, reference(body)) for _ in range(4)))
    await asyncio.gather(*(grade(grader, GOOD) for _ in range(8)))
    for client in grader._clients:
        assert client.pid is not None
        assert psutil.Process(client.pid).memory_info().rss < 200 * 1024**2


# --------------------------------------------------------------------------- verdicts

DETAILS = {
    "busy": ("def f(x):\n    while True: pass", "timeout", "timeout (cpu)"),
    "asleep": ("import time\ndef f(x): time.sleep(60)", "timeout", "timeout (wall)"),
    "exit code": ("import os\ndef f(x): os._exit(3)", "crashed", "exited 3"),
    "sys.exit": ("import sys\ndef f(x): sys.exit(3)", "crashed", "exit before the tests ended"),
    "signal": ("import ctypes\ndef f(x): ctypes.string_at(0)", "crashed", "signal 11"),
    "object": ("class Foo: pass\ndef f(x): return Foo()", "wrong", "unsupported value: Foo"),
    "object in a list": ("class Foo: pass\ndef f(x): return [Foo()]", "wrong", "AssertionError"),
    "recursion": ("def f(x): return f(x)", "error", "RecursionError: maximum recursion"),
    "recursion, raised": (
        "def f(x): raise RecursionError('deep')",
        "error",
        "RecursionError: deep",
    ),
    "memory, raised": ("def f(x): raise MemoryError", "out_of_memory", "MemoryError"),
    "memory": ("def f(x): return [0] * 10**10", "out_of_memory", "MemoryError"),
    "colours": (
        r"def f(x): raise ValueError('\x1b[31m\a\r\n\u202e')",
        "error",
        r"\x1b[31m\x07\r\n\u202e",
    ),
    "a long message": ("def f(x): raise ValueError('x' * 10**6)", "error", "ValueError: xxx"),
    "a name with colours": (
        r"def f(x): return type('\x1b[31m\n' + 'x' * 10**6, (), {})()",
        "wrong",
        "unsupported value: ?[31m?xxx",
    ),
    "an exception's name": (
        r"def f(x): raise type('\x1b]0;' * 999, (Exception,), {})",
        "error",
        r"\x1b]0;",
    ),
}


@pytest.mark.parametrize(("source", "expected", "detail"), DETAILS.values(), ids=DETAILS)
async def test_a_detail_says_what_happened_in_one_short_line(
    grader: FunctionalGrader, source: str, expected: str, detail: str
) -> None:
    verdicts.check_verdict(await grade(grader, source), expected, detail)


# --------------------------------------------------------------------------- official

OFFICIAL = {
    "canonical": (GOOD, "passed", ""),
    "its own equality": (
        "class Two:\n    def __eq__(self, other): return other in (2, 3)\ndef f(x): return Two()",
        "passed",  # what published scores count, and split trust does not
        "",
    ),
    "wrong": ("def f(x): return x", "wrong", "AssertionError"),
    "its own assertion": ("def f(x): assert x > 5", "error", "AssertionError"),
    "raises": ("def f(x): raise KeyError('k')", "error", "KeyError: 'k'"),
    "does not parse": ("def f(x: return", "error", "SyntaxError"),
    "sys.exit": ("import sys; sys.exit(0)", "crashed", "exit before the tests"),
    "sys.exit in a call": ("import sys\ndef f(x): sys.exit(0)", "crashed", "exit before the tests"),
    "os._exit": ("import os; os._exit(0)", "crashed", "exited 0"),
    "os._exit in a call": ("import os\ndef f(x): os._exit(0)", "crashed", "exited 0"),
    "prints": (GOOD.replace("+ 1", "") + "print('passed'); print('P')", "wrong", ""),
    "writes to every file": (
        "import os\nfor fd in range(256):\n    try: os.write(fd, b'\\0\\0\\0\\x21' + b'P' * 33)\n"
        "    except OSError: pass\ndef f(x): os._exit(0)",
        "crashed",
        "",
    ),
    "loops": ("def f(x):\n    while True: pass", "timeout", "timeout (cpu)"),
    "loops when loaded": ("while True: pass", "timeout", "timeout (cpu)"),
    "fills memory": ("def f(x): return [0] * 10**10", "out_of_memory", "MemoryError"),
    "fills memory slowly": (
        "def f(x):\n    kept = []\n    while True: kept.append('x' * 10**6 + str(len(kept)))",
        "out_of_memory",
        "",
    ),
    "segmentation fault": ("import ctypes\ndef f(x): ctypes.string_at(0)", "crashed", "signal 11"),
    "recursion": ("def f(x): return f(x)", "error", "RecursionError"),
    "prints by the megabyte": (GOOD + "for _ in range(3000): print('x' * 1000)", "passed", ""),
}


@pytest.mark.parametrize(("source", "expected", "detail"), OFFICIAL.values(), ids=OFFICIAL)
async def test_official_verdicts(
    official: FunctionalGrader, source: str, expected: str, detail: str
) -> None:
    result = await grade(official, source)
    verdicts.check_verdict(result, expected, detail)
    assert result.trust == "same-process"
    assert (result.cause == "") is result.passed
    assert result.failing_call is None
    assert (await grade(official, GOOD)).passed


async def test_official_grading_takes_every_style_and_inputs_too(
    official: FunctionalGrader,
) -> None:
    asserts = Reference(
        problem_id="p",
        entry_point="f",
        test="assert f(1) == 2",
        canonical_solution="",
        style="asserts",
    )
    for inputs, verdict in ((None, "passed"), (3, "passed"), (9, "wrong")):
        tests = replace(
            asserts, inputs=Inputs(args=((2,),), expected=(inputs,)) if inputs else None
        )
        result = await grade(official, GOOD, tests)
        assert (result.verdict, result.trust) == (verdict, "same-process")
        alone = replace(tests, test="")
        if inputs:
            result = await grade(official, GOOD, alone)
            assert (result.verdict, result.trust) == (verdict, "split")
    assert (await grade(official, "def f(x): return x", asserts)).verdict == "wrong"


async def test_official_tests_that_do_not_compile_are_no_verdict(
    official: FunctionalGrader,
) -> None:
    broken = Reference(problem_id="p/9", entry_point="f", test="def (", canonical_solution="")
    result = await official.grade(Program(source=GOOD), broken)
    assert isinstance(result, Failure)


@pytest.mark.parametrize("grading", ["split", "official"])
async def test_neither_files_nor_network_are_there(
    grader: FunctionalGrader, official: FunctionalGrader, grading: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    tmp_path.chmod(0o755)
    chosen = official if grading == "official" else grader
    for action in (
        f"open({str(secret)!r})",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "socket.socket(socket.AF_INET)",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
    ):
        result = await grade(chosen, f"import os, socket\ndef f(x): return {action} and x + 1")
        assert result.verdict == "error", (action, result)
        assert "Error: [Errno" in result.detail, (action, result)
    assert not (tmp_path / "new").exists()


# --------------------------------------------------------------------------- alone, background


@pytest.mark.skipif(sys.platform != "linux", reason="the idle class is Linux's")
@pytest.mark.parametrize("grading", ["split", "official"])
async def test_a_sample_alone_is_served_among_those_that_wait(grading: str) -> None:
    grader = FunctionalGrader(
        workers=1,
        background=True,
        grading="official" if grading == "official" else "split",
    )
    facts = await grader.open()
    assert facts["background"] is True
    assert facts["grading"] == grading

    def expects(policy: int) -> Program:
        return Program(source=f"import os\nassert os.sched_getscheduler(0) == {policy}\n{GOOD}")

    # More than one after another, so that candidates forked ahead wait at each change.
    alone = [place % 5 in (2, 3) for place in range(20)]
    policies = [os.SCHED_OTHER if flag else os.SCHED_IDLE for flag in alone]
    async with asyncio.timeout(20):
        grades = await asyncio.gather(
            *(
                grader.grade(expects(policy), SIMPLE, alone=flag)
                for flag, policy in zip(alone, policies, strict=True)
            )
        )
    await grader.close()
    assert [grade.verdict for grade in grades if isinstance(grade, Grade)] == ["passed"] * 20


async def test_alone_without_background_changes_no_verdict(grader: FunctionalGrader) -> None:
    for source, expected in ((GOOD, "passed"), ("def f(x): return x", "wrong")):
        result = await grader.grade(Program(source=source), SIMPLE, alone=True)
        assert isinstance(result, Grade)
        assert result.verdict == expected
