"""What is left of a sample when it is over, and what becomes of a job whose worker fails."""

# These tests look at processes from outside, and wait for them.
# ruff: noqa: ASYNC110, ASYNC220

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from trueval.errors import InfraError
from trueval.grade import functional
from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox.client import Limits, WorkerClient, WorkerError
from trueval.grade.sandbox.plain import Opaque, plain
from trueval.types import Failure, Grade, Program, Reference

TEST = "def check(candidate):\n    assert candidate(1) == 2\n"
REFERENCE = Reference(problem_id="p", entry_point="f", test=TEST, canonical_solution="")
GOOD = "\ndef f(x): return x + 1\n"
TEST_CODE = functional._compiled(TEST)


@pytest_asyncio.fixture(params=[True, False], ids=["isolated", "plain"])
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[WorkerClient]:
    client = WorkerClient(Limits(timeout_s=0.5, memory_mb=256, isolate=request.param))
    await client.start()
    yield client
    await client.stop()


def processes_with(marker: str) -> list[psutil.Process]:
    every = psutil.process_iter(["cmdline"])
    return [p for p in every if any(marker in part for part in p.info["cmdline"] or ())]


async def eventually(holds: Callable[[], bool], within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return holds()


def descendants(pid: int | None) -> list[psutil.Process]:
    return list(psutil.Process(pid).children(recursive=True))


# --------------------------------------------------------------------------- left behind

SPAWN = (
    "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '{code}', '{marker}']{more})"
)
DAEMON = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        os.execv({python!r}, [{python!r}, "-c", "import time; time.sleep(60)", "{marker}"])
    os._exit(0)
import time; time.sleep(0.1)
"""


@pytest.mark.parametrize(
    "leaves",
    [
        SPAWN.format(code="import time; time.sleep(60)", marker="{marker}", more=""),
        SPAWN.format(
            code="import time; time.sleep(60)", marker="{marker}", more=", start_new_session=True"
        ),
        DAEMON,
    ],
    ids=["child", "child in its own session", "daemon"],
)
async def test_what_a_sample_started_dies_with_it(worker: WorkerClient, leaves: str) -> None:
    marker = f"left-{os.getpid()}-{time.monotonic_ns()}"
    # The interpreter itself, as no path of a virtual environment needs to be readable.
    source = leaves.replace("{marker}", marker).replace("{python!r}", repr(sys.executable)) + GOOD
    outcome = await worker.run(source, TEST_CODE, "f", False)
    assert outcome.verdict == "passed", outcome
    assert processes_with(marker) == []
    assert descendants(worker.pid) == []


async def test_a_fork_bomb_ends_with_its_sample() -> None:
    grader = FunctionalGrader(timeout_s=0.5, workers=1)
    facts = await grader.open()
    if "a user of their own" not in facts["isolation_detail"]:
        await grader.close()
        pytest.skip("without a user of its own, only the kernel's limits stop a fork bomb")
    bomb = asyncio.create_task(
        grader.grade(Program(source="import os\nwhile True: os.fork()"), REFERENCE)
    )
    pid, most = grader._clients[0].pid, 0
    while not bomb.done():
        most = max(most, len(descendants(pid)))
        await asyncio.sleep(0.02)
    grade = await bomb
    assert isinstance(grade, Grade)
    assert not grade.passed
    assert most <= 128
    assert descendants(pid) == []
    after = await grader.grade(Program(source=GOOD), REFERENCE)
    assert isinstance(after, Grade)
    assert after.passed
    await grader.close()


async def test_scratch_is_empty_for_each_sample_and_gone_at_the_end(worker: WorkerClient) -> None:
    scratch = Path(worker._scratch)
    leave = (
        "import os\nos.makedirs('a/b'); open('a/b/c', 'w').write('x'); os.symlink('/', 'a/root')"
    )
    leave += "\nos.chmod('a/b', 0); os.chmod('a', 0); assert os.getcwd() == os.environ['TMPDIR']"
    outcome = await worker.run(leave + GOOD, TEST_CODE, "f", False)
    assert outcome.verdict == "passed", outcome
    look = "import os\nassert os.listdir('.') == [], os.listdir('.')"
    outcome = await worker.run(look + GOOD, TEST_CODE, "f", False)
    assert outcome.verdict == "passed", outcome
    await worker.stop()
    assert not scratch.parent.exists()


async def test_a_sample_sees_no_environment_no_files_of_ours_and_cannot_write_ours(
    worker: WorkerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    look = "import os\nassert not [k for k in os.environ if 'TOKEN' in k]\n"
    look += "assert {'0', '1', '2'} <= set(os.listdir('/proc/self/fd'))\n"
    look += "assert len(os.listdir('/proc/self/fd')) <= 6, os.listdir('/proc/self/fd')\n"
    monkeypatch.setenv("HF_TOKEN", "secret")
    fresh = WorkerClient(worker.limits)
    outcome = await fresh.run(look + GOOD, TEST_CODE, "f", False)
    await fresh.stop()
    assert outcome.verdict == "passed", outcome
    if "user of their own" in worker.isolation:
        target = tmp_path / "mine"
        target.write_text("x")
        outcome = await worker.run(f"open({str(target)!r}, 'w')", TEST_CODE, "f", False)
        assert "PermissionError" in outcome.detail


# --------------------------------------------------------------------------- failing workers


async def test_a_killed_worker_is_replaced_and_the_job_done_again() -> None:
    grader = FunctionalGrader(timeout_s=2, workers=1)
    await grader.open()
    source = "import time; time.sleep(0.4)" + GOOD
    job = asyncio.create_task(grader.grade(Program(source=source), REFERENCE))
    await asyncio.sleep(0.15)
    worker = grader._clients[0].pid
    assert worker is not None
    sample = descendants(worker)
    os.kill(worker, signal.SIGKILL)
    grade = await job
    assert isinstance(grade, Grade)
    assert grade.passed
    assert await eventually(lambda: not any(process.is_running() for process in sample))
    await grader.close()


async def test_a_job_whose_workers_keep_failing_is_a_retryable_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_: object) -> None:
        raise WorkerError("it ended")

    grader = FunctionalGrader(workers=1)
    await grader.open()
    monkeypatch.setattr(WorkerClient, "run", fails)
    failure = await grader.grade(Program(source=GOOD), REFERENCE)
    await grader.close()
    assert isinstance(failure, Failure)
    assert failure.stage == "grade"
    assert failure.retryable


async def test_nonsense_for_an_answer_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boot = tmp_path / "boot.py"
    boot.write_text("import os; os.write(1, b'\\0\\0\\0\\4oops'); os.read(0, 9999)")
    monkeypatch.setattr("trueval.grade.sandbox.client.BOOT", boot)
    with pytest.raises(WorkerError, match="did not start"):
        await WorkerClient(Limits()).start()
    with pytest.raises(InfraError, match="did not start"):
        await FunctionalGrader(workers=2).open()


async def test_cancelling_a_grade_ends_its_sample_and_the_next_one_works() -> None:
    grader = FunctionalGrader(timeout_s=5, workers=1)
    await grader.open()
    job = asyncio.create_task(grader.grade(Program(source="while True: pass"), REFERENCE))
    await asyncio.sleep(0.2)
    sample = descendants(grader._clients[0].pid)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert len(sample) == 1
    assert await eventually(lambda: not sample[0].is_running())
    grade = await grader.grade(Program(source=GOOD), REFERENCE)
    assert isinstance(grade, Grade)
    assert grade.passed
    await grader.close()


async def test_closing_ends_what_runs_and_starts_nothing_new() -> None:
    grader = FunctionalGrader(timeout_s=5, workers=1)
    await grader.open()
    loops = [grader.grade(Program(source="while True: pass"), REFERENCE) for _ in range(3)]
    jobs = [asyncio.create_task(job) for job in loops]
    await asyncio.sleep(0.2)
    before = descendants(os.getpid())
    await grader.close()
    assert all(isinstance(result, Failure) for result in await asyncio.gather(*jobs))
    assert len(before) == 2
    assert await eventually(lambda: descendants(os.getpid()) == [])


async def test_nothing_is_left_when_the_grader_itself_is_killed() -> None:
    script = textwrap.dedent("""
        import asyncio
        from trueval.grade.functional import FunctionalGrader
        from trueval.types import Program, Reference
        async def main():
            grader = FunctionalGrader(timeout_s=60, workers=2)
            await grader.open()
            ref = Reference(problem_id="p", entry_point="f", test="", canonical_solution="")
            print([c._folder for c in grader._clients], flush=True)
            loops = [grader.grade(Program(source="while True: pass"), ref) for _ in range(2)]
            await asyncio.gather(*loops)
        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as main:
        assert main.stdout is not None
        folders = [Path(folder) for folder in eval(main.stdout.readline())]
        assert await eventually(lambda: len(descendants(main.pid)) == 4)
        started = descendants(main.pid)
        main.kill()
    assert await eventually(lambda: not any(process.is_running() for process in started))
    assert await eventually(lambda: not any(folder.exists() for folder in folders))


# --------------------------------------------------------------------------- time


async def test_a_busy_machine_makes_no_timeout_in_the_background() -> None:
    hogs = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    grader = FunctionalGrader(timeout_s=0.4, workers=2, background=True)
    await grader.open()
    busy = "import time\nwhile time.process_time() < 0.15: pass"
    try:
        jobs = [grader.grade(Program(source=busy + GOOD), REFERENCE) for _ in range(2)]
        grades = await asyncio.gather(*jobs)
        alone = await grader.grade(Program(source=busy + GOOD), REFERENCE, alone=True)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    await grader.close()
    assert [grade.verdict for grade in [*grades, alone] if isinstance(grade, Grade)] == [
        "passed"
    ] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="the idle class is Linux's")
@pytest.mark.parametrize(("alone", "expected"), [(False, os.SCHED_IDLE), (True, os.SCHED_OTHER)])
async def test_background_samples_stand_back_unless_they_run_alone(
    alone: bool, expected: int
) -> None:
    grader = FunctionalGrader(workers=1, background=True)
    await grader.open()
    look = f"import os\nassert os.sched_getscheduler(0) == {expected}" + GOOD
    grade = await grader.grade(Program(source=look), REFERENCE, alone=alone)
    await grader.close()
    assert isinstance(grade, Grade)
    assert grade.passed, grade


# --------------------------------------------------------------------------- plain data

Point = namedtuple("Point", "x y")


class Colour(IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


class Yes:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "expected", "kind"),
    [
        (None, None, type(None)),
        (True, True, bool),
        (Colour.RED, 1, int),
        (2**100, 2**100, int),
        (Text("ab"), "ab", str),
        (Point(1, [Colour.RED]), (1, [1]), tuple),
        (Counter("aab"), {"a": 2, "b": 1}, dict),
        (OrderedDict(a=1), {"a": 1}, dict),
        ({1, 2}, {1, 2}, set),
        (frozenset({Text("a")}), frozenset({"a"}), frozenset),
        (deque([1, 2], maxlen=5), deque([1, 2], maxlen=5), deque),
        (range(3), range(3), range),
        (Decimal("1.50"), Decimal("1.50"), Decimal),
        (Fraction(1, 3), Fraction(1, 3), Fraction),
        (bytearray(b"ab"), b"ab", bytearray),
        ({"a": 1}.keys(), {"a"}, type({}.keys())),
        ({"a": 1}.items(), {("a", 1)}, type({}.items())),
        (1 + 2j, 1 + 2j, complex),
    ],
)
def test_data_stays_what_it_is_in_exact_types(value: Any, expected: Any, kind: type) -> None:
    result = plain(value)
    assert type(result) is kind
    assert result == expected


def test_objects_are_equal_to_nothing_at_any_depth() -> None:
    forged = Fraction(1, 2)
    forged._numerator = Yes()  # type: ignore[attr-defined]
    for value in (Yes(), [Yes()], {"a": Yes()}, (1, (Yes(),)), deque([Yes()]), forged):
        assert plain(value) not in (1, [1], {"a": 1}, (1, (1,)), deque([1]), Fraction(1, 2))
    with pytest.raises(TypeError):
        bool(plain(Yes()))
    assert isinstance(plain(object()), Opaque)


def test_iterators_stay_lazy_and_their_items_become_plain() -> None:
    def endless() -> Any:
        while True:
            yield Text("a")

    result = plain(endless())
    assert result != ["a"]
    assert type(next(result)) is str
