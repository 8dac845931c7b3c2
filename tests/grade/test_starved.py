"""A checker that gets no core: what its candidates wait for then is no time of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.grade.processes import workers_of
from trueval.errors import TruevalError
from trueval.grade.functional import FunctionalGrader
from trueval.types import Grade, Program, Reference

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="a core is taken from one process alone",
)

TIMEOUT_S = 0.2
HOG = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass"


@contextlib.contextmanager
def starved(pid: int, seconds: float) -> Iterator[None]:
    """For so long, a process has its one core for a twentieth of each second, and at one go."""
    core = min(os.sched_getaffinity(0))
    hog = subprocess.Popen([sys.executable, "-S", "-c", HOG.format(seconds)])
    try:
        os.sched_setaffinity(hog.pid, {core})
        os.sched_setaffinity(pid, {core})
        try:
            os.sched_setscheduler(hog.pid, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            pytest.skip("only root may take a core for itself")
        time.sleep(0.1)
        yield
    finally:
        hog.kill()
        hog.wait()


def sleeping(calls: int, seconds: float) -> tuple[Program, Reference]:
    program = Program(source=f"import time\ndef f(x):\n    time.sleep({seconds})\n    return x")
    test = "def check(candidate):\n" + "    assert candidate(1) == 1\n" * calls
    return program, Reference(
        problem_id="p", entry_point="f", test=test, canonical_solution="    return x"
    )


@pytest.mark.parametrize("calls", [1, 3])
async def test_a_checker_without_a_core_makes_no_timeout(calls: int) -> None:
    grader = FunctionalGrader(timeout_s=TIMEOUT_S, workers=1)
    await grader.open()
    [worker] = workers_of(grader)
    # Each call takes longer than a checker waits before it has the zygote watch.
    with starved(worker.checker.pid, 20 * TIMEOUT_S):
        grade = await grader.grade(*sleeping(calls, 0.1))
    await grader.close()
    assert isinstance(grade, Grade)
    assert grade.passed, grade


def taking(argument: str, source: str) -> tuple[Program, Reference]:
    test = f"def check(candidate):\n    assert candidate({argument}) == 1\n"
    return Program(source=source), Reference(
        problem_id="p", entry_point="f", test=test, canonical_solution="    return 1"
    )


TRICKLE = """
import os, time
def f(x):
    os.write(3, (30 << 20).to_bytes(4, "big"))
    while True:
        os.write(3, b"x")
        time.sleep(0.003)
"""
OUT_OF_TIME = {
    "sleeps in a call": sleeping(1, 60),
    "sleeps before it reads a long argument": taking(
        "list(range(200_000))", "import time\ntime.sleep(60)\ndef f(x): return 1"
    ),
    "has said something and reads nothing": taking(
        "list(range(200_000))",
        "import os, time\nos.write(3, b'x')\ntime.sleep(60)\ndef f(x): return 1",
    ),
    "answers a byte at a time": taking("1", TRICKLE),
}


@pytest.mark.parametrize("level", ["full", "filtered", "bare"])
@pytest.mark.parametrize("case", OUT_OF_TIME.values(), ids=OUT_OF_TIME)
async def test_a_program_that_waits_for_nobody_is_out_of_time(
    case: tuple[Program, Reference], level: Any
) -> None:
    grader = FunctionalGrader(timeout_s=TIMEOUT_S, workers=1, isolation=level)
    try:
        await grader.open()
    except TruevalError as error:
        pytest.skip(str(error))
    grade = await asyncio.wait_for(grader.grade(*case), 60)
    await grader.close()
    assert isinstance(grade, Grade)
    assert (grade.verdict, grade.cause) == ("timeout", "timeout-wall")


async def test_what_a_checker_waited_for_a_core_is_no_other_programs_time() -> None:
    grader = FunctionalGrader(timeout_s=TIMEOUT_S, workers=1)
    await grader.open()
    [worker] = workers_of(grader)
    test = "import time\ndef check(candidate):\n    start = time.process_time()\n"
    test += "    while time.process_time() < start + 0.06: pass\n    assert candidate() == 1\n"
    slow = Reference(problem_id="p", entry_point="f", test=test, canonical_solution="")
    with starved(worker.checker.pid, 20 * TIMEOUT_S):
        first = await grader.grade(Program(source="def f(): return 1"), slow)
    second = await grader.grade(*sleeping(3, 1.5 * TIMEOUT_S))
    await grader.close()
    assert isinstance(first, Grade) and isinstance(second, Grade)
    assert first.passed, first
    assert (second.verdict, second.cause) == ("timeout", "timeout-wall")


async def test_a_program_that_sleeps_is_out_of_time_all_the_same() -> None:
    grader = FunctionalGrader(timeout_s=TIMEOUT_S, workers=1)
    await grader.open()
    [worker] = workers_of(grader)
    with starved(worker.checker.pid, 8 * TIMEOUT_S):
        grade = await asyncio.wait_for(grader.grade(*sleeping(1, 60)), 30)
    await grader.close()
    assert isinstance(grade, Grade)
    assert (grade.verdict, grade.cause) == ("timeout", "timeout-wall")
