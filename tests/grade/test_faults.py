"""What becomes of a run when its processes are killed: every verdict arrives, and is the same."""

# These tests look at processes from outside, and wait for them.
# ruff: noqa: ASYNC110

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from tests.grade.processes import (
    adopting_orphans,
    processes_of,
    running,
    scratch_folders,
    workers_of,
)
from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox.client import Job, Outcome, WorkerClient
from trueval.types import Failure, Grade, Inputs, Program, Reference

REFERENCE = Reference(
    problem_id="p",
    entry_point="f",
    test="def check(candidate):\n    assert candidate(1) == 2\n",
    canonical_solution="",
)
RIGHT = "def f(x): return x + 1"
SOURCES = (
    RIGHT,
    "def f(x): return x",
    "def f(x): return x + ''",
    "import os; os._exit(0)",
    "def f(x): return (",
    f"import pathlib; pathlib.Path('left').write_text('x')\n{RIGHT}",
    f"{RIGHT}\nf.long = 'x' * 10**6",
    f"import time; time.sleep(0.02)\n{RIGHT}",
)
SAMPLES = 2000
TARGETS = ("checker", "zygote", "candidate", "worker")
SEED = int(os.environ.get("TRUEVAL_FAULT_SEED", "7"))
"""Which moments; another one is another run."""

Seen = tuple[str, str]
"""Verdict and detail: what must not depend on what was killed."""


def programs(count: int) -> list[Program]:
    """All different, so that nothing can answer for another."""
    sources = SOURCES * (count // len(SOURCES) + 1)
    return [Program(source=f"# {place}\n{sources[place]}") for place in range(count)]


def seen(grade: Grade | Failure) -> Seen:
    """What is compared of a verdict."""
    if isinstance(grade, Failure):
        return "no verdict", grade.message
    return grade.verdict, grade.detail


class Killer:
    """Kills what grades, at random moments, each kind of target as often as the others."""

    def __init__(self, grader: FunctionalGrader, level: str) -> None:
        self.level = level
        self.killed: Counter[str] = Counter()
        self.known: set[psutil.Process] = set()
        """Every process that it ever saw."""
        self.graded = 0
        self._grader = grader
        self._chance = random.Random(SEED)

    async def grade(self, program: Program) -> Seen:
        """One verdict, counted."""
        found = seen(await self._grader.grade(program, REFERENCE))
        self.graded += 1
        return found

    async def run(self) -> None:
        """Kill until cancelled."""
        while True:
            for target in self._chance.sample(TARGETS, len(TARGETS)):
                # By samples and not by seconds: a fast machine is not to get away with less.
                after = self.graded + self._chance.randrange(30, 90)
                while self.graded < after:
                    await asyncio.sleep(0.002)
                await asyncio.sleep(self._chance.uniform(0, 0.02))
                while not self._kill(target):
                    await asyncio.sleep(0.002)

    def _kill(self, target: str) -> bool:
        """Whether there was such a process to kill."""
        workers = workers_of(self._grader)
        self.known.update(process for worker in workers for process in worker.all())
        victims: list[list[psutil.Process]] = {
            "checker": [[w.checker] for w in workers],
            "zygote": [[z] for w in workers for z in (w.zygote, *w.others) if z is not None],
            "candidate": [[c] for w in workers for c in w.candidates],
            "worker": [w.all() for w in workers if w.candidates],
        }[target]
        alive = [several for several in victims if running(several)]
        if not alive:
            return False
        for process in self._chance.choice(alive):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.killed[target] += 1
        return True


async def undisturbed() -> list[Seen]:
    """What each of the sources comes to when nothing is killed."""
    grader = FunctionalGrader(timeout_s=2, memory_mb=256, workers=2)
    await grader.open()
    grades = await asyncio.gather(*(grader.grade(p, REFERENCE) for p in programs(len(SOURCES))))
    await grader.close()
    return [seen(grade) for grade in grades]


async def disturbed() -> tuple[list[Seen], Killer]:
    """Every verdict of a run in which something is killed all the time."""
    grader = FunctionalGrader(timeout_s=2, memory_mb=256, workers=2)
    facts = await grader.open()
    killer = Killer(grader, facts["isolation"])
    killing = asyncio.create_task(killer.run())
    found = await asyncio.gather(*(killer.grade(program) for program in programs(SAMPLES)))
    killing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await killing
    killer.known.update(processes_of(grader))
    await grader.close()
    return found, killer


async def test_killed_processes_cost_no_verdict_and_leave_nothing_behind() -> None:
    right = await undisturbed()
    before, mounts = set(psutil.Process().children(recursive=True)), _mounts()
    folders = scratch_folders()  # of a warm grader that another test has left
    with adopting_orphans():
        found, killer = await disturbed()
        left = await _still_running(killer.known | _adopted(before))
    assert left == []
    assert scratch_folders() == folders
    assert _mounts() == mounts

    assert len(found) == SAMPLES
    assert min(killer.killed[target] for target in TARGETS) >= 5, killer.killed
    expected = [right[place % len(right)] for place in range(SAMPLES)]
    odd = [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]]
    if killer.level == "full":
        assert odd == []
    # Elsewhere a candidate that is killed while it runs may have done it itself.
    assert {got for got, _ in odd} <= {("crashed", "signal 9 before the tests ended")}
    assert len(odd) <= killer.killed["candidate"]


async def test_nothing_is_left_behind() -> None:
    before, mounts = set(psutil.Process().children(recursive=True)), _mounts()
    folders = scratch_folders()  # of a warm grader that another test has left
    with adopting_orphans():
        grader = FunctionalGrader(timeout_s=2, memory_mb=256, workers=2)
        await grader.open()
        started = processes_of(grader)
        grades = await asyncio.gather(*(grader.grade(p, REFERENCE) for p in programs(50)))
        assert not any(isinstance(grade, Failure) for grade in grades)
        started += processes_of(grader)
        await grader.close()
        assert await _still_running({*started} | _adopted(before)) == []
    assert scratch_folders() == folders
    assert _mounts() == mounts


def _adopted(before: set[psutil.Process]) -> set[psutil.Process]:
    """What this process has below it that it had not before."""
    return set(psutil.Process().children(recursive=True)) - before


async def _still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended after a while; orphans that have are reaped."""
    known, deadline = [*processes], time.monotonic() + 5
    while running(known) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    mine = {child.pid for child in psutil.Process().children()}
    for process in known:
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if process.pid in mine and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)  # noqa: ASYNC222 - it has ended
    return running(known)


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8")
    except OSError:
        pytest.skip("needs /proc")


@pytest.mark.parametrize(("kills", "found"), [(1, "passed"), (2, "passed"), (99, "crashed")])
async def test_a_program_that_is_killed_by_others_is_tried_again(kills: int, found: str) -> None:
    grader = FunctionalGrader(timeout_s=9, workers=1)
    facts = await grader.open()
    try:
        if facts["isolation"] != "full":
            pytest.skip("elsewhere a program may have killed itself")
        program = Program(source=f"import time; time.sleep(0.4)\n{RIGHT}")
        grading = asyncio.create_task(grader.grade(program, REFERENCE))
        done = await _kill_those_that_sleep(grader, kills, grading)
        grade = await grading
    finally:
        await grader.close()
    assert isinstance(grade, Grade) and grade.verdict == found
    assert done >= min(kills, 3)  # the last may be one that waits for another program


@pytest.mark.parametrize(("kills", "graded"), [(1, True), (99, False)])
async def test_a_canonical_solution_that_is_killed_by_others_is_asked_again(
    kills: int, graded: bool
) -> None:
    grader = FunctionalGrader(timeout_s=9, workers=1)
    facts = await grader.open()
    reference = Reference(
        problem_id="p",
        entry_point="f",
        test="",
        canonical_solution="import time; time.sleep(0.4)\ndef f(x): return x + 1",
        inputs=Inputs(args=((1,), (2,))),
    )
    try:
        if facts["isolation"] != "full":
            pytest.skip("elsewhere a program may have killed itself")
        program = Program(source="def f(x): return 1 + x")
        grading = asyncio.create_task(grader.grade(program, reference))
        done = await _kill_those_that_sleep(grader, kills, grading)
        grade = await grading
    finally:
        await grader.close()
    assert done >= min(kills, 3)
    # In the end that is a failure of ours, and no verdict on the program.
    assert isinstance(grade, Grade) == graded
    assert not isinstance(grade, Grade) or grade.passed, grade


async def _kill_those_that_sleep(
    grader: FunctionalGrader, kills: int, grading: asyncio.Task[Grade | Failure]
) -> int:
    """Kill the candidate whose turn it is, so many times or until there is a verdict."""
    done, seen_before = 0, set[int]()
    while done < kills and not grading.done():
        await asyncio.sleep(0.15)  # it has begun, and sleeps
        (worker,) = workers_of(grader)
        for process in worker.candidates[:1]:
            if process.pid not in seen_before:
                seen_before.add(process.pid)
                process.kill()
                done += 1
    return done


ENDS = {
    "closes its socket": ("import os\nos.close(3)\nwhile True: pass", "socket: closed", "protocol"),
    "asks for a limit of CPU": (
        "import resource as r\nr.setrlimit(r.RLIMIT_CPU, (0, 0))\nwhile True: pass",
        "",
        "raised",
    ),
    "sends itself the signal": (
        "import os, signal\nos.kill(0, 9); os.kill(os.getpid(), 9)\nraise ValueError('alive')",
        "ValueError: alive",
        "raised",
    ),
}


@pytest.mark.parametrize(("source", "detail", "cause"), ENDS.values(), ids=ENDS)
async def test_no_program_gets_another_try_by_its_own_doing(
    source: str, detail: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Job] = []
    run = WorkerClient.run

    async def counting(client: WorkerClient, job: Job) -> Outcome:
        tries.append(job)
        return await run(client, job)

    monkeypatch.setattr(WorkerClient, "run", counting)
    grader = FunctionalGrader(timeout_s=2, workers=1)
    facts = await grader.open()
    grade = await grader.grade(Program(source=source), REFERENCE)
    await grader.close()
    if facts["isolation"] != "full":
        pytest.skip("elsewhere it is not tried again at all")
    assert isinstance(grade, Grade) and detail in grade.detail and grade.cause == cause, grade
    assert len(tries) == 1
