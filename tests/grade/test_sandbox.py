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
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from trueval.errors import InfraError
from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox.client import Job, Limits, Outcome, WorkerClient
from trueval.grade.sandbox.line import WorkerError
from trueval.grade.sandbox.zygote import AHEAD
from trueval.types import Failure, Grade, Program, Reference

TEST = "def check(candidate):\n    assert candidate(1) == 2\n"
REFERENCE = Reference(problem_id="p", entry_point="f", test=TEST, canonical_solution="")
GOOD = "\ndef f(x): return x + 1\n"
AT_REST = 2 + AHEAD
"""Processes below a checker: the zygote's parent at level full, the zygote, the candidates."""
LEVELS = ["full", "filtered", "bare"]


async def run(client: WorkerClient, source: str) -> Outcome:
    return await client.run(Job(program=source, reference=REFERENCE))


@pytest_asyncio.fixture(params=LEVELS)
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[WorkerClient]:
    client = WorkerClient(Limits(timeout_s=0.5, memory_mb=256, level=request.param))
    try:
        await client.start()
    except WorkerError as error:
        pytest.skip(str(error))
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
    outcome = await run(worker, source)
    forks = worker.facts["level"] == "bare"
    assert outcome.verdict == ("passed" if forks else "error"), outcome
    assert processes_with(marker) == []
    assert await eventually(lambda: len(descendants(worker.pid)) <= AT_REST)


@pytest.mark.parametrize("level", LEVELS)
async def test_a_fork_bomb_ends_with_its_sample(level: Any) -> None:
    grader = FunctionalGrader(timeout_s=0.5, workers=1, isolation=level)
    facts = await grader.open()
    if level == "bare" and facts["isolation_detail"]["mechanisms"]["user"] != "on":
        await grader.close()
        pytest.skip("without a user of its own, only the kernel's limits stop a fork bomb")
    pid, most = grader._clients[0].pid, 0
    bomb = asyncio.create_task(
        grader.grade(Program(source="import os\nwhile True: os.fork()"), REFERENCE)
    )
    while not bomb.done():
        most = max(most, len(descendants(pid)))
        await asyncio.sleep(0.02)
    grade = await bomb
    assert isinstance(grade, Grade)
    assert not grade.passed
    assert most <= 128 + AT_REST
    assert await eventually(lambda: len(descendants(pid)) <= AT_REST)
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
    outcome = await run(worker, leave + GOOD)
    assert outcome.verdict == "passed", outcome
    look = "import os\nassert os.listdir('.') == [], os.listdir('.')"
    outcome = await run(worker, look + GOOD)
    assert outcome.verdict == "passed", outcome
    await worker.stop()
    assert not scratch.parent.exists()


async def test_a_sample_sees_no_environment_no_files_of_ours_and_cannot_write_ours(
    worker: WorkerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    look = "import os\nassert not [k for k in os.environ if 'TOKEN' in k]\n"
    look += """
found = set()
for fd in range(4096):
    try: os.fstat(fd)
    except OSError: continue
    found.add(fd)
assert {0, 1, 2} < found and len(found) == 4, found
"""
    monkeypatch.setenv("HF_TOKEN", "secret")
    fresh = WorkerClient(worker.limits)
    outcome = await run(fresh, look + GOOD)
    await fresh.stop()
    assert outcome.verdict == "passed", outcome
    if worker.facts["level"] != "bare":
        target = tmp_path / "mine"
        target.write_text("x")
        outcome = await run(worker, f"open({str(target)!r}, 'w')")
        assert outcome.verdict == "error"
        assert "Error: [Errno" in outcome.detail


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
    before = descendants(grader._clients[0].pid)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert len(before) >= 3  # the zygote, the sample and the next one
    assert await eventually(lambda: not any(process.is_running() for process in before))
    grade = await grader.grade(Program(source=GOOD), REFERENCE)
    assert isinstance(grade, Grade)
    assert grade.passed
    await grader.close()


async def test_closing_ends_what_runs_and_starts_nothing_new() -> None:
    others = descendants(os.getpid())  # such as the graders that `trueval.grade` keeps warm
    grader = FunctionalGrader(timeout_s=5, workers=1)
    await grader.open()
    loops = [grader.grade(Program(source="while True: pass"), REFERENCE) for _ in range(3)]
    jobs = [asyncio.create_task(job) for job in loops]
    await asyncio.sleep(0.2)
    before = [process for process in descendants(os.getpid()) if process not in others]
    await grader.close()
    assert all(isinstance(result, Failure) for result in await asyncio.gather(*jobs))
    assert len(before) >= 4
    assert await eventually(lambda: not {*descendants(os.getpid())} - {*others})


async def test_nothing_is_left_when_the_grader_itself_is_killed() -> None:
    script = textwrap.dedent("""
        import asyncio
        from trueval.grade.functional import FunctionalGrader
        from trueval.types import Program, Reference
        async def main():
            grader = FunctionalGrader(timeout_s=60, workers=2)
            await grader.open()
            test = "def check(candidate): candidate()"
            ref = Reference(problem_id="p", entry_point="f", test=test, canonical_solution="")
            print([c._folder for c in grader._clients], flush=True)
            loops = [grader.grade(Program(source="while True: pass"), ref) for _ in range(2)]
            await asyncio.gather(*loops)
        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as main:
        assert main.stdout is not None
        folders = [Path(folder) for folder in eval(main.stdout.readline())]
        assert await eventually(lambda: len(descendants(main.pid)) >= 8)
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
    # More than it gets, of cores that others want, before it is starved.
    busy = "import time\nwhile time.process_time() < 0.25: pass"
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


async def test_a_stop_that_is_cancelled_loses_no_process_and_no_folder() -> None:
    worker = WorkerClient(Limits())
    await worker.start()
    process, folder = worker._process, Path(worker._folder)
    assert process is not None
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)  # it waits for the process now
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await worker.stop()
    assert process.returncode is not None
    assert not folder.exists()
