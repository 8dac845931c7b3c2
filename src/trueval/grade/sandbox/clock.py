"""When a sample's time is up: by the CPU time it used, not by how busy the machine is."""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH123

from __future__ import annotations

import contextlib
import os
import sys
import time

from trueval.grade.sandbox.endings import STARVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEPING_FACTOR = 2
WALL_FACTOR = 3
WALL_FACTOR_IDLE = 10
STARVED_FACTOR = 5


class Deadline:
    """Watches one process from outside. A sample is out of time when

    - it has used `timeout_s` of CPU, in all its threads;
    - or it sleeps, and twice `timeout_s` have passed in which it was not waiting for a core;
    - or three times `timeout_s` have passed in which it was not waiting for a core;
    - or ten times have passed on the wall.

    One that runs only when nothing else does is starved after five, which is no verdict: on a par
    with others it may do better. (Where it stands, nobody can put it there: in a user namespace
    that takes a privilege that only the host's own has.)

    While an answer of its lies there unread, only the CPU time counts: it is the checker that waits
    for a core.
    """

    def __init__(self, pid: int, timeout_s: float, waited_s: float, idle: bool) -> None:
        self._pid, self._timeout_s, self._idle = pid, timeout_s, idle
        # As if it had run without a pause: the checker's own time is not the candidate's.
        self._started = time.monotonic() - waited_s
        self._backstop_s = timeout_s * (STARVED_FACTOR if idle else WALL_FACTOR_IDLE)
        self._served_s = self._backstop_s if idle else timeout_s * WALL_FACTOR
        self.reason = ""
        """Why the time is up, once it is."""

    def next_look_s(self) -> float:
        """How long to leave it alone: no verdict can be due before then."""
        left = self._timeout_s - (time.monotonic() - self._started)
        return left if left > 0 else min(0.02, self._timeout_s / 4)

    def is_over(self, *, has_answered: bool) -> bool:
        """Whether the time is up now."""
        wall_s = time.monotonic() - self._started
        # First of all, as threads on several cores use it up sooner than the wall's clock runs.
        if (cpu_s := _cpu_s(self._pid)) >= self._timeout_s:
            self.reason = f"timeout (cpu): {cpu_s:.1f} s of CPU time"
            return True
        if has_answered or wall_s < self._timeout_s:
            return False
        served_s = wall_s - _waited_s(self._pid)
        if served_s >= self._served_s or wall_s >= self._backstop_s:
            how = STARVED if self._idle else "timeout (wall)"
            self.reason = f"{how}: {wall_s:.1f} s of wall time"
        elif served_s >= SLEEPING_FACTOR * self._timeout_s and _sleeps(self._pid):
            self.reason = f"timeout (wall): asleep after {wall_s:.1f} s"
        return bool(self.reason)


def _cpu_s(pid: int) -> float:
    """CPU time of a process so far; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3), CPUCLOCK_SCHED
    except OSError:
        return 0.0


class OwnDelay:
    """Tells for how long this process has stood ready and had no core; 0 where nobody says."""

    def __init__(self) -> None:
        self._file = -1  # stays open: it is asked before each call of a program
        with contextlib.suppress(OSError):
            self._file = os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> float:
        """Seconds so far."""
        if self._file < 0:
            return 0.0
        try:
            return int(os.pread(self._file, 100, 0).split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0


def _waited_s(pid: int) -> float:
    """Time that a process, in the thread that did so longest, stood ready and had no core.

    0 where the system does not say.
    """
    try:
        return max(int(text.split()[1]) for text in _of_threads(pid, "schedstat")) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _sleeps(pid: int) -> bool:
    """Whether all threads of a process wait for something other than a core or a disk."""
    try:
        return all(text.rpartition(b") ")[2][:1] not in b"RD" for text in _of_threads(pid, "stat"))
    except OSError:
        return True


def _of_threads(pid: int, name: str) -> Iterator[bytes]:
    """What this file says of each thread; of one that has ended meanwhile, nothing."""
    folder = f"/proc/{pid}/task"
    for thread in os.listdir(folder):  # noqa: PTH208
        gone = contextlib.suppress(FileNotFoundError, ProcessLookupError)
        with gone, open(f"{folder}/{thread}/{name}", "rb") as file:
            yield file.read()
