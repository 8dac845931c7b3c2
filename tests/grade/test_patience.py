"""The checker's own time: where its end can surface, and where it cannot."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox import patience
from trueval.grade.sandbox.orders import Orders
from trueval.grade.sandbox.patience import CpuLimit, TooSlowError
from trueval.types import Grade, Program, Reference


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[CpuLimit]:
    before = signal.getsignal(signal.SIGPROF)
    monkeypatch.setattr(patience, "CPU_SLACK_S", 0.0)
    monkeypatch.setattr(patience, "GRACE_S", 30.0)
    yield CpuLimit(0.01)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def busy(seconds: float = 5.0) -> str:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return "done"


def test_work_in_time_returns_and_work_that_is_not_is_stopped(limit: CpuLimit) -> None:
    assert limit.within(lambda: "done") == "done"
    started = time.process_time()
    assert limit.within(busy) is None
    assert time.process_time() - started < 2
    assert limit.within(lambda: "done") == "done"


def test_a_test_that_swallows_the_end_of_its_time_does_not_pass(limit: CpuLimit) -> None:
    def work() -> str:
        try:
            return busy()
        except BaseException:
            return "passed"

    assert limit.within(work) is None


def test_a_signal_after_the_work_changes_nothing(limit: CpuLimit) -> None:
    for _ in range(100):
        assert limit.within(lambda: "done") == "done"
        signal.raise_signal(signal.SIGPROF)
    with pytest.raises(ZeroDivisionError):
        limit.within(lambda: 1 / 0)
    signal.raise_signal(signal.SIGPROF)


def test_at_whatever_moment_it_comes_the_end_of_time_stays_inside(limit: CpuLimit) -> None:
    """The signal at every line of `within` and of the work, one after the other."""

    def outcome_with_signal_at(step: int) -> tuple[str | None, int]:
        seen = 0

        def trace(frame: FrameType, event: str, _arg: Any) -> Any:
            nonlocal seen
            if frame.f_code.co_filename == patience.__file__ or frame.f_code.co_name == "work":
                seen += 1
                if seen == step:
                    signal.raise_signal(signal.SIGPROF)
            return trace

        def work() -> str:
            kept = "do"
            return kept + "ne"

        sys.settrace(trace)
        try:
            return limit.within(work), seen
        finally:
            sys.settrace(None)

    _, steps = outcome_with_signal_at(-1)
    outcomes = [outcome_with_signal_at(step)[0] for step in range(1, steps + 1)]
    assert set(outcomes) == {"done", None}
    assert outcomes[-1] == "done"


def test_a_message_of_the_zygotes_is_read_to_its_end(
    limit: CpuLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Orders._hear.__code__ in patience._UNBROKEN
    broken = None

    def unbroken() -> None:
        nonlocal broken
        try:
            busy(0.2)
        except TooSlowError:
            broken = True
            raise

    monkeypatch.setattr(patience, "_UNBROKEN", patience._UNBROKEN | {unbroken.__code__})

    def work() -> str:
        unbroken()
        return busy()

    assert limit.within(work) is None
    assert broken is None


def cpu_of_children_s() -> float:
    """What ended workers have used of the processors: others may be at work as well."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def test_code_in_c_that_hangs_costs_one_limit_and_not_two() -> None:
    grader = FunctionalGrader(timeout_s=0.2, workers=1)
    await grader.open()
    tests = Reference(
        problem_id="p",
        entry_point="f",
        test="def check(candidate):\n    sum(range(candidate()))\n",
        canonical_solution="",
    )
    before_s = cpu_of_children_s()
    result = await grader.grade(Program(source="def f(): return 10**12"), tests)
    await grader.close()
    took_s = cpu_of_children_s() - before_s
    assert isinstance(result, Grade)
    assert (result.verdict, result.cause) == ("timeout", "timeout-checker")
    # 2 * 0.2 s + 2 s, and half a second for code that does not listen; once, and not twice.
    assert took_s < 2 * (2 * 0.2 + 2.0)
