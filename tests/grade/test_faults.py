"""What becomes of a run when its processes are killed: every verdict arrives, and is the same."""

# These tests look at processes from outside, and wait for them.
# ruff: noqa: ASYNC110

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from trueval.grade.functional import FunctionalGrader
from trueval.types import Failure, Grade, Program, Reference

REFERENCE = Reference(
    problem_id="p",
    entry_point="f",
    test="def check(candidate):\n    assert candidate(1) == 2\n",
    canonical_solution="",
)
KINDS = [
    ("def f(x): return x + 1", "passed"),
    ("def f(x): return x", "wrong"),
    ("def f(x): return x + ''", "error"),
    ("import os; os._exit(0)", "crashed"),
    ("import time; time.sleep(0.02)\ndef f(x): return x + 1", "passed"),
]


def programs(count: int) -> list[tuple[Program, str]]:
    return [
        (Program(source=f"# {place}\n{source}"), expected)
        for place, (source, expected) in zip(range(count), KINDS * count, strict=False)
    ]


def workers_of(grader: FunctionalGrader) -> list[psutil.Process]:
    found = []
    for client in grader._clients:
        if client.pid is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                checker = psutil.Process(client.pid)
                found += [checker, *checker.children(recursive=True)]
    return found


async def kill_now_and_then(grader: FunctionalGrader, targets: Sequence[str]) -> int:
    """Kill a checker or what is below it, at random moments, until cancelled."""
    chance, killed = random.Random(7), 0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(chance.uniform(0.1, 0.4))
            checkers = {client.pid for client in grader._clients}
            alive = [p for p in workers_of(grader) if (p.pid in checkers) == ("checker" in targets)]
            if alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    chance.choice(alive).kill()
                    killed += 1
    return killed


@pytest.mark.parametrize("target", ["checker", "zygote or candidate"])
async def test_killed_processes_cost_no_verdict(target: str) -> None:
    grader = FunctionalGrader(timeout_s=2, memory_mb=256, workers=2)
    await grader.open()
    jobs = programs(500)
    killer = asyncio.create_task(kill_now_and_then(grader, [target]))
    grades = await asyncio.gather(*(grader.grade(program, REFERENCE) for program, _ in jobs))
    killer.cancel()
    killed = await killer
    await grader.close()
    assert killed > 2
    odd = [
        (program, expected, grade)
        for (program, expected), grade in zip(jobs, grades, strict=True)
        if not isinstance(grade, Grade) or grade.verdict != expected
    ]
    # A candidate that was killed from outside cannot be told from one that ended by itself.
    assert [o for o in odd if "signal 9" not in str(o[2])] == []
    assert len(odd) <= (0 if target == "checker" else killed)


async def test_nothing_is_left_behind() -> None:
    folders = set(Path(tempfile.gettempdir()).glob("trueval-*"))
    mounts = Path("/proc/self/mountinfo").read_text("utf-8")
    grader = FunctionalGrader(timeout_s=2, memory_mb=256, workers=2)
    await grader.open()
    started = workers_of(grader)
    grades = await asyncio.gather(*(grader.grade(p, REFERENCE) for p, _ in programs(50)))
    assert not any(isinstance(grade, Failure) for grade in grades)
    started += workers_of(grader)
    await grader.close()
    deadline = time.monotonic() + 5
    while _running(started) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert _running(started) == []
    mine = {path for path in Path(tempfile.gettempdir()).glob("trueval-*") if _is_mine(path)}
    assert mine - folders == set()
    assert Path("/proc/self/mountinfo").read_text("utf-8") == mounts


def _running(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _is_mine(path: Path) -> bool:
    # Other sessions on the machine have folders of their own.
    return path.name.startswith(f"trueval-{os.getpid()}-")
