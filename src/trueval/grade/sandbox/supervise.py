"""Ends candidates: watches a slow one's time from outside, kills it, and reaps it."""

# The zygote stays small, and pathlib is not.
# ruff: noqa: PTH123

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Collection
from typing import Any

from trueval.grade.sandbox import syscalls
from trueval.grade.sandbox.clock import Deadline
from trueval.grade.sandbox.syscalls import raw

SIGKILL = int(signal.SIGKILL)  # an enum costs each sample more than it looks
LOOK_S = 0.03
"""How often to look at a candidate that is slow: at its memory, and whether it has ended."""
LAST_MOMENT_S = 0.5
"""How long a process that has closed its socket may take until it has ended."""
_ANSWERED = select.POLLIN | select.POLLOUT
_STATUS = (ctypes.c_int * 1)()
_USAGE = (ctypes.c_long * 18)()  # struct rusage: two times of two numbers each, and what follows
_MAXRSS = 4
_STATUS_AT, _USAGE_AT = ctypes.addressof(_STATUS), ctypes.addressof(_USAGE)
_KILL, _WAIT4 = syscalls.NR.get("kill", 0), syscalls.NR.get("wait4", 0)
PAGES_A_MB = 1024 * 1024 // resource.getpagesize()


class Watch:
    """Looks after one candidate while the checker waits for its answer."""

    def __init__(
        self,
        number: int,
        pid: int,
        answers: int,
        settings: dict[str, Any],
        waited_s: float,
        idle: bool,
    ) -> None:
        """`answers`: the checker's end of the candidate's socket."""
        self.number = number
        self.reason = ""
        """Why it has to end: it is out of time, or of memory. Empty when it ended by itself."""
        self._pid = pid
        self._answers = select.poll()
        self._answers.register(answers, _ANSWERED)
        self._memory_mb = settings["memory_mb"]
        timeout_s = settings["timeout_s"]
        self._deadline = Deadline(pid, timeout_s, waited_s, idle)
        self._pidfd = _pidfd(pid)

    def until_order(self, control: int) -> bool:
        """True when the checker has an order; False when the candidate ended or must end."""
        poll = select.poll()
        poll.register(control, select.POLLIN)
        if self._pidfd is not None:
            poll.register(self._pidfd, select.POLLIN)
        while True:
            # Before an order is looked at: one whose every byte makes one would be never over.
            if self._deadline.is_over(has_answered=self._has_answered()):
                self.reason = self._deadline.reason
                return False
            wait_s = min(self._deadline.next_look_s(), LOOK_S)
            ready = dict(poll.poll(wait_s * 1000))
            if control in ready:
                return True
            if self._pidfd in ready or self._has_ended():
                return False
            if (resident_mb := _resident_mb(self._pid)) > self._memory_mb:
                self.reason = f"memory: {resident_mb} MB"
                return False

    def close(self) -> None:
        """Let go of the process."""
        if self._pidfd is not None:
            os.close(self._pidfd)

    def _has_answered(self) -> bool:
        """Something of its lies there to be read, and it has read what was sent to it."""
        return any(event & _ANSWERED == _ANSWERED for _, event in self._answers.poll(0))

    def _has_ended(self) -> bool:
        if self._pidfd is not None:
            return False
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _pidfd(pid: int) -> int | None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _resident_mb(pid: int) -> int:
    """Memory that a process has touched; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) // PAGES_A_MB
    except (OSError, IndexError):
        return 0


def has_ended_soon(pid: int) -> bool:
    """Whether a process ends within a moment without our doing. It stays to be reaped."""
    if not hasattr(os, "waitid"):
        return True
    deadline = time.monotonic() + LAST_MOMENT_S
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    return True


def end(pid: int) -> tuple[int, int, float]:
    """Kill a candidate and its group; exit status, peak memory in KiB, and CPU time in seconds."""
    if not syscalls.NR:
        return _end_elsewhere(pid)
    # By the bare calls: those of `os` look much up, which each candidate's fork then pays for.
    raw(_KILL, -pid, SIGKILL, 0, 0, 0, 0)  # the group may not be there yet
    raw(_KILL, pid, SIGKILL, 0, 0, 0, 0)
    if raw(_WAIT4, pid, _STATUS_AT, 0, _USAGE_AT, 0, 0) < 0:
        raise syscalls.failed(_WAIT4)
    cpu_s = _USAGE[0] + _USAGE[2] + (_USAGE[1] + _USAGE[3]) / 1e6
    return _STATUS[0], _USAGE[_MAXRSS], cpu_s


def _end_elsewhere(pid: int) -> tuple[int, int, float]:
    for target in (-pid, pid):
        with contextlib.suppress(OSError):
            os.kill(target, SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    # Linux counts in KiB, macOS in bytes.
    peak_kb = usage.ru_maxrss // (1 if sys.platform == "linux" else 1024)
    return status, peak_kb, usage.ru_utime + usage.ru_stime


def end_stragglers(keep: Collection[int]) -> None:
    """Kill and reap all children but `keep`: what moved out of its group became ours, or will.

    Needed only where a candidate may fork and has no pid namespace of its own.
    """
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        strays = [pid for pid in _children() if pid not in keep]
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(OSError):
                os.kill(pid, SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)
    raise RuntimeError("a sample left processes that cannot be killed")


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []
