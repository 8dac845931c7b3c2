"""A zygote stays small: what is small forks fast, and every candidate begins as a copy of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

import pytest

from tests.grade.processes import workers_of
from trueval.grade.functional import FunctionalGrader
from trueval.types import Program, Reference

MAX_RESIDENT_MB = 12
REFERENCE = Reference(
    problem_id="p",
    entry_point="f",
    test="def check(candidate):\n    assert candidate(1) == 2\n",
    canonical_solution="",
)
# What makes a zygote do all that it can do: fork, watch, end, clean up, tell why.
SOURCES = (
    "def f(x): return x + 1",
    "import numpy\ndef f(x): return x + 1",
    "while True: pass",
    "x = bytearray(300 << 20)\nimport time; time.sleep(1)",
    "import os; os.makedirs('a/b'); open('a/b/c', 'w').write('x' * 10**6)",
    "import os; os.abort()",
)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("level", ["auto", "filtered"])
async def test_a_zygote_stays_small(level: Literal["auto", "filtered"]) -> None:
    grader = FunctionalGrader(timeout_s=0.3, memory_mb=128, workers=1, isolation=level)
    await grader.open()
    try:
        programs = [Program(source=f"{source}\n# {i}") for source in SOURCES for i in range(3)]
        await asyncio.gather(*(grader.grade(program, REFERENCE) for program in programs))
        (worker,) = workers_of(grader)
        assert worker.zygote is not None
        facts = _status(worker.zygote.pid)
    finally:
        await grader.close()
    assert facts["VmHWM"] < MAX_RESIDENT_MB * 1024, facts


def _status(pid: int) -> dict[str, int]:
    """The sizes in a process's status, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    parts = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(size) for name, size, _ in parts}
