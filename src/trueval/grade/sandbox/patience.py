"""How much CPU time the checker spends on one program's answers."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from trueval.grade.sandbox.orders import Orders

CPU_FACTOR, CPU_SLACK_S = 2, 2.0
"""A test may take this many times a program's limit, and this much more, to compare answers."""
GRACE_S = 0.5
"""How much longer code may take that does not listen, which is code in C."""
AGAIN_S = 0.01
_UNBROKEN = frozenset(
    value.__code__ for value in vars(Orders).values() if hasattr(value, "__code__")
)
"""What must not end half way: a message of the zygote's that was read and not noted is lost."""

T = TypeVar("T")


class TooSlowError(BaseException):
    """Comparing one sample's answers takes longer than any honest answer would."""


class CpuLimit:
    """Lets work take a while, and no longer."""

    def __init__(self, timeout_s: float) -> None:
        self._budget_s = CPU_FACTOR * timeout_s + CPU_SLACK_S
        self._armed = self._is_up = False
        signal.signal(signal.SIGPROF, self._time_is_up)

    def within(self, work: Callable[[], T]) -> T | None:
        """What `work` returns; None when its time was up, whatever it made of that.

        `TooSlowError` comes out of `work` alone: a signal that arrives later changes nothing.
        """
        self._is_up = False
        try:
            try:
                self._armed = True
                self._allow(self._budget_s)
                result = work()
            finally:
                # Up to here the handler raises, and what it raises is caught below. From here on
                # it does not, so nothing can surface between this and what follows.
                self._armed = False
                self._allow(0)
        except TooSlowError:
            return None
        return None if self._is_up else result

    def _allow(self, budget_s: float) -> None:
        # The first asks Python code to stop; the second, for code in C that does not listen, kills.
        signal.setitimer(signal.ITIMER_PROF, budget_s)
        signal.setitimer(signal.ITIMER_VIRTUAL, budget_s + GRACE_S if budget_s else 0)

    def _time_is_up(self, _signal: int, frame: FrameType | None) -> None:
        if not self._armed:
            return
        while frame is not None:
            if frame.f_code in _UNBROKEN:
                signal.setitimer(signal.ITIMER_PROF, AGAIN_S)
                return
            frame = frame.f_back
        self._armed, self._is_up = False, True
        raise TooSlowError
