"""A checker that gets no core: what its candidates wait for then is no time of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.grade.processes import workers_of
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


async def test_a_program_that_sleeps_is_out_of_time_all_the_same() -> None:
    grader = FunctionalGrader(timeout_s=TIMEOUT_S, workers=1)
    await grader.open()
    [worker] = workers_of(grader)
    with starved(worker.checker.pid, 8 * TIMEOUT_S):
        grade = await asyncio.wait_for(grader.grade(*sleeping(1, 60)), 30)
    await grader.close()
    assert isinstance(grade, Grade)
    assert (grade.verdict, grade.cause) == ("timeout", "timeout-wall")
