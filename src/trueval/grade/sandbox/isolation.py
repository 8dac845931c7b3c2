"""What separates a sample's process from the machine: user, pid namespace, limits, priority."""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH120, PTH123, PTH208

from __future__ import annotations

import contextlib
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

if sys.platform == "linux":
    from trueval.grade.sandbox import linux

SIGKILL = int(signal.SIGKILL)  # an enum costs each sample more than it looks
MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_OPEN_FILES = 256
MAX_TASKS = 128
"""Processes and threads of one sample, where it has a user of its own."""


class Isolation:
    """What this worker may do to keep its samples apart, found out by trying."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._namespaces: linux.PidNamespaces | None = None
        self.uid: int | None = None
        """The user that samples run as, when that is not ours."""
        self._keep = 0  # capabilities; only ever: to read
        if sys.platform == "linux":
            # Orphans come to us, and no process of our user may look into us.
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
            linux.prctl(linux.PR_SET_DUMPABLE, 0)
            if settings["isolate"]:
                self._try_namespaces()
                self._try_users(settings)
        # Made here: each sample's process would make it again.
        self._limits = tuple(_limits(settings, self.uid is not None).items())

    def describe(self) -> str:
        """What was possible, in words."""
        user = "a user of their own" if self.uid is not None else "our user"
        space = "pid namespace" if self._namespaces else "process group"
        return f"{space} each, {user}"

    def before_fork(self) -> None:
        """Call right before each fork."""
        if self._namespaces is not None:
            self._namespaces.before_fork()

    def enter(self, settings: dict[str, Any], alone: bool, report_fd: int) -> None:
        """Shut this process, a sample's, off from the rest. There is no way back."""
        os.setsid()
        os.chdir(settings["scratch"])
        if settings["background"] and not alone:
            _stand_back()
        for kind, soft_and_hard in self._limits:
            resource.setrlimit(kind, soft_and_hard)
        if sys.platform == "linux":
            linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
            if self.uid is not None:
                linux.become_user(self.uid, self._keep)
            else:
                linux.prctl(linux.PR_SET_DUMPABLE, 1)
            linux.prctl(linux.PR_SET_PDEATHSIG, SIGKILL)
        # The worker may have died before that took hold: then nobody reads our report.
        poll = select.poll()
        poll.register(report_fd, 0)
        if poll.poll(0):
            os._exit(1)

    def end(self, pid: int) -> tuple[int, resource.struct_rusage]:
        """Kill a sample and everything it started; its exit status and what it used."""
        for target in (-pid, pid):  # the group may not be there yet
            with contextlib.suppress(OSError):
                os.kill(target, SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        deadline = time.monotonic() + 5
        # What moved out of the group has become our child by now, or will, as its parents die.
        while time.monotonic() < deadline:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    _kill_children()
                    time.sleep(0.001)
            except ChildProcessError:
                return status, usage
        raise RuntimeError("a sample left processes that cannot be killed")

    def _try_namespaces(self) -> None:
        with contextlib.suppress(OSError):
            namespaces = linux.PidNamespaces()
            if _works(namespaces.before_fork, lambda: None):
                self._namespaces = namespaces

    def _try_users(self, settings: dict[str, Any]) -> None:
        if os.geteuid() != 0:
            return
        # A user id nobody else has, for each worker: it owns nothing and can signal nobody, and
        # RLIMIT_NPROC, which does not bind root, counts this sample alone.
        for uid in (1_000_000_000 + os.getpid(), 50_000 + os.getpid() % 10_000):
            for keep in (0, linux.CAP_DAC_READ_SEARCH):

                def imports(uid: int = uid, keep: int = keep) -> None:
                    linux.become_user(uid, keep)
                    for folder in [os.path.dirname(os.__file__), *settings["packages"].values()]:
                        os.listdir(folder)

                if _works(self.before_fork, imports):
                    self.uid, self._keep = uid, keep
                    return


def _works(before_fork: Callable[[], None], action: Callable[[], object]) -> bool:
    """Whether `action` works, tried in a throwaway process."""
    try:
        before_fork()
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _limits(settings: dict[str, Any], own_user: bool) -> dict[int, tuple[int, int]]:
    memory = settings["memory_mb"] * 1024 * 1024
    cpu_s = math.ceil(settings["timeout_s"]) + 1  # only a backstop: it counts whole seconds
    limits = {
        resource.RLIMIT_CPU: (cpu_s, cpu_s + 1),
        # DATA counts what is written to alone, AS shared mappings too.
        resource.RLIMIT_DATA: (memory, memory),
        resource.RLIMIT_AS: (memory, memory),
        resource.RLIMIT_FSIZE: (MAX_FILE_BYTES, MAX_FILE_BYTES),
        resource.RLIMIT_NOFILE: (MAX_OPEN_FILES, MAX_OPEN_FILES),
        resource.RLIMIT_CORE: (0, 0),
    }
    if own_user:
        limits[resource.RLIMIT_NPROC] = (MAX_TASKS, MAX_TASKS)
    if sys.platform == "darwin":  # refuses these two
        del limits[resource.RLIMIT_DATA], limits[resource.RLIMIT_AS]
    return limits


def _stand_back() -> None:
    """Run only on cores that nobody else wants."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):
        os.nice(19)


def _kill_children() -> None:
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:
        for pid in file.read().split():
            os.kill(int(pid), SIGKILL)


class End:
    """Tells when a process has ended, without reaping it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.fd: int | None = None
        """Readable once it has ended; None where the system has no such thing."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self.fd = os.pidfd_open(pid)

    def by_now(self) -> bool:
        """Whether it has ended, for systems where `fd` is None."""
        if self.fd is not None:
            return False
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._pid, flags) is not None


@contextlib.contextmanager
def end_of(pid: int) -> Iterator[End]:
    """An `End` of a child of ours."""
    end = End(pid)
    try:
        yield end
    finally:
        if end.fd is not None:
            os.close(end.fd)
