from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

import trueval
from trueval.errors import ConfigError, DataError
from trueval.experiment import batch
from trueval.tasks.demo import Demo
from trueval.types import Failure, Grade

DEMO = Demo().load()
PREFIX = {p.problem_id: p.prefix for p in DEMO.problems}
PAIRS = [(k, PREFIX[k] + r.canonical_solution) for k, r in DEMO.references.items()]


@pytest.fixture(scope="module")
def pool() -> Iterator[trueval.GradingPool]:
    with trueval.GradingPool(workers=2, timeout_s=1.0) as pool:
        yield pool


def gone(processes: set[psutil.Process]) -> bool:
    """Whether they end within a moment: a zygote ends when it sees that its checker has."""
    return not psutil.wait_procs(processes, timeout=3)[1]


def verdicts(grades: list[Grade | Failure]) -> list[str]:
    return [grade.verdict if isinstance(grade, Grade) else "infra" for grade in grades]


def test_trueval_grade_grades_and_is_still_the_stage() -> None:
    import trueval.grade.functional

    assert verdicts(trueval.grade(PAIRS, "demo")) == ["passed"] * 8
    # To type checkers it is the function; as a package it is for `import` statements.
    assert trueval.grade.functional.FunctionalGrader.name == "functional"  # type: ignore[attr-defined]


def test_every_shape_of_a_program_is_taken(pool: trueval.GradingPool) -> None:
    shapes: list[Any] = [
        ("Demo/0", "def double_all(n): return [2 * i for i in n]"),
        {"task_id": "Demo/0", "completion": "    return [2 * n for n in numbers]"},
        {"problem_id": "Demo/0", "solution": "def double_all(n): return n", "completion": "?"},
        ["Demo/0", ""],
    ]
    assert verdicts(pool.grade(shapes, "demo")) == ["passed", "passed", "wrong", "no_code"]


def test_verdicts_come_in_order_whatever_takes_longest(pool: trueval.GradingPool) -> None:
    slow = ("Demo/1", "import time\ndef shout(t):\n time.sleep(0.05)\n return t.upper() + '!'")
    wrong = ("Demo/1", "def shout(t): return t")
    assert verdicts(pool.grade([slow, wrong] * 20, "demo")) == ["passed", "wrong"] * 20


def test_programs_are_read_no_faster_than_they_are_graded(pool: trueval.GradingPool) -> None:
    read = 0

    def endless() -> Iterator[tuple[str, str]]:
        nonlocal read
        while True:
            read += 1
            yield PAIRS[0]

    stream = pool.stream(endless(), "demo")
    assert verdicts([next(stream) for _ in range(10)]) == ["passed"] * 10
    assert read <= batch.CHUNK * batch.CHUNKS_IN_FLIGHT
    stream.close()  # type: ignore[attr-defined]
    assert verdicts(pool.grade(PAIRS, "demo")) == ["passed"] * 8  # what was left does no harm


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (("Demo/9", "x"), "program 1: the task 'demo' has no problem 'Demo/9'"),
        ({"completion": "x"}, "program 1: no `task_id`"),
        ({"task_id": "Demo/0"}, "program 1: neither `completion` nor `solution`"),
        (("Demo/0", 1), "program 1: neither a pair"),
        ("Demo/0", "program 1: neither a pair"),
    ],
)
def test_what_is_no_program_is_named(pool: trueval.GradingPool, item: Any, message: str) -> None:
    with pytest.raises(DataError, match=message.replace("(", "\\(")):
        pool.grade([PAIRS[0], item], "demo")


def test_wrong_settings_are_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="workers"):
        trueval.grade([], "demo", workers=0)
    with pytest.raises(ConfigError, match="unknown task 'dmeo'"):
        trueval.grade([], "dmeo")


def test_calls_share_warm_workers() -> None:
    trueval.grade(PAIRS, "demo")
    first = {child.pid for child in psutil.Process().children()}
    for _ in range(5):
        trueval.grade(PAIRS[:1], "demo")
    assert {child.pid for child in psutil.Process().children()} == first


def test_a_default_that_is_spelled_out_gets_the_same_workers() -> None:
    assert batch.shared_pool() is batch.shared_pool(timeout_s=3.0, workers=None)
    assert batch.shared_pool() is not batch.shared_pool(timeout_s=2.0)


async def test_it_works_where_a_loop_runs_already(pool: trueval.GradingPool) -> None:
    assert verdicts(pool.grade(PAIRS, "demo")) == ["passed"] * 8  # as in a notebook


async def test_the_callers_loop_goes_on_meanwhile(pool: trueval.GradingPool) -> None:
    slow = ("Demo/1", "import time\ndef shout(t):\n time.sleep(0.1)\n return t.upper() + '!'")
    work = asyncio.create_task(pool.agrade([slow] * 4, "demo"))
    beats = 0
    while not work.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert verdicts(await work) == ["passed"] * 4
    assert beats >= 10
    assert verdicts(await trueval.agrade(PAIRS * 20, "demo")) == ["passed"] * 160


def test_threads_may_share_a_pool(pool: trueval.GradingPool) -> None:
    found: list[list[str]] = []

    def call() -> None:
        found.append(verdicts(pool.grade(PAIRS, "demo")))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["passed"] * 8] * 8


def test_a_closed_pool_leaves_nothing_and_starts_anew() -> None:
    # Below our own children: the workers of other pools fork candidates whenever they like.
    before = set(psutil.Process().children())
    pool = trueval.GradingPool(workers=1)
    with pool:
        assert pool.facts["workers"] == 1
        (worker,) = set(psutil.Process().children()) - before
        processes = {worker, *worker.children(recursive=True)}
        assert len(processes) > 1
    assert gone(processes)
    assert not any(thread.name == "trueval-grading" for thread in _new_threads(pool))
    assert verdicts(pool.grade(PAIRS[:1], "demo")) == ["passed"]
    pool.close()
    pool.close()


def _new_threads(pool: trueval.GradingPool) -> list[threading.Thread]:
    with batch._STATE.lock:
        running = [one._running for one in batch._STATE.open]
    known = {one.thread for one in running if one is not None}
    return [thread for thread in threading.enumerate() if thread not in known]


def test_a_forked_child_grades_with_workers_of_its_own(pool: trueval.GradingPool) -> None:
    pool.grade(PAIRS[:1], "demo")
    child = os.fork()
    if child == 0:
        try:
            right = verdicts(pool.grade(PAIRS, "demo")) == ["passed"] * 8
            pool.close()
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert verdicts(pool.grade(PAIRS, "demo")) == ["passed"] * 8


AT_EXIT = """
import os, sys, tempfile, psutil, trueval
tempfile.tempdir = sys.argv[1]
pool = trueval.GradingPool(workers=1)
pool.grade([("Demo/1", "def shout(t): return t")], "demo")
if os.fork() == 0:
    sys.exit()  # its exit is not the parent's
os.wait()
assert trueval.grade([("Demo/1", "def shout(t): return t")], "demo")[0].verdict == "wrong"
print(*[child.pid for child in psutil.Process().children(recursive=True)])
"""


def test_an_exit_ends_every_worker_and_leaves_no_file(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AT_EXIT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) >= 2
    assert gone({psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)})
    assert [*tmp_path.iterdir()] == []
