"""What a deadline knows of a process: all of its threads, and not the first alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trueval.grade.sandbox import clock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

WORKS = "import threading\ndef f():\n    while True: pass\nt = threading.Thread(target=f)\n"
SLEEPS = "import threading, time\nt = threading.Thread(target=time.sleep, args=(60,))\n"


@pytest.fixture(params=[WORKS, SLEEPS], ids=["works", "sleeps"])
def process(request: pytest.FixtureRequest) -> Iterator[tuple[int, bool]]:
    """A process whose first thread waits for another, and whether that one works."""
    code = f"{request.param}t.start()\nprint(flush=True)\nt.join()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid, request.param == WORKS
        running.kill()


def test_a_process_sleeps_when_all_of_its_threads_do(process: tuple[int, bool]) -> None:
    pid, works = process
    seen = set()
    for _ in range(20):
        time.sleep(0.01)
        seen.add(clock._sleeps(pid))
    assert seen == {not works}


def test_a_thread_that_waits_for_a_core_is_counted(process: tuple[int, bool]) -> None:
    pid, works = process
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as rival:
        try:
            # On one core, so that one of both has to wait.
            for one in (pid, rival.pid):
                _on_one_core(one)
            before = clock._waited_s(pid)
            time.sleep(0.5)
            waited_s = clock._waited_s(pid) - before
        finally:
            rival.kill()
    assert (waited_s > 0.05) is works


@pytest.mark.parametrize(("idle", "said"), [(True, "starved: "), (False, "timeout (wall): ")])
def test_one_that_stands_back_is_starved_and_not_out_of_time(idle: bool, said: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as running:
        try:
            deadline = clock.Deadline(running.pid, 0.1, 0.1 * clock.STARVED_FACTOR, idle)
            assert deadline.is_over(has_answered=False)
        finally:
            running.kill()
    assert deadline.reason.startswith(said)


def _on_one_core(pid: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {min(os.sched_getaffinity(0))})


def test_a_process_that_is_gone_has_not_waited() -> None:
    assert clock._waited_s(2**22 + 1) == 0.0
    assert clock._sleeps(2**22 + 1)
