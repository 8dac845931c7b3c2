"""Shuts a candidate's process off: system calls, prepared once and made in a row by each child.

A fresh fork pays some microseconds for every page that it is the first to write to, and Python
writes to whatever it looks at. So all is looked up before the fork, and a child only makes calls.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from trueval.grade.sandbox import limits, syscalls
from trueval.grade.sandbox.seccomp import SET_MODE_FILTER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trueval.grade.sandbox.landlock import Ruleset
    from trueval.grade.sandbox.seccomp import Filter

SIGKILL = 9
KEPT_FD = 3
"""Where a candidate finds the one descriptor that stays open."""
TIMES = 16
"""Of a rehearsal: CPython 3.11 rewrites a function's bytecode when it has run for the eighth."""
_call = syscalls.raw


class Entry:
    """The way into the jail for one child after another. Linux alone."""

    def __init__(self, background: bool) -> None:
        """`background`: children run on cores that nobody else wants, unless made `alone`."""
        self._background = background
        self._calls: list[tuple[int, ...]] = []
        self._held: list[ctypes.Array[ctypes.c_uint64]] = []
        """What addresses in the calls point to."""
        self._zygote = os.getpid()
        self._watches_parent = False
        self._filter: Filter | None = None
        self._add("setsid")  # or kill(0) would reach the zygote, from any namespace

    def limit(self, pairs: Iterable[tuple[int, tuple[int, int]]]) -> None:
        """Set resource limits: kind, and its soft and hard value."""
        for kind, pair in pairs:
            values = (ctypes.c_uint64 * 2)(*pair)
            self._held.append(values)
            self._add("prlimit64", 0, kind, ctypes.addressof(values))

    def become(self, uid: int, capabilities: int) -> None:
        """Give up root for good, but for `capabilities`."""
        if capabilities:
            self._add("prctl", syscalls.PR_SET_KEEPCAPS, 1)
        if os.getgid() != uid:
            self._add("setresgid", uid, uid, uid)
        self._add("setresuid", uid, uid, uid)
        if capabilities:
            self._add("capset", *syscalls.capability_sets(capabilities))

    def drop_capabilities(self) -> None:
        """Give up every capability, as the same user."""
        self._add("capset", *syscalls.capability_sets(0))

    def be_readable(self) -> None:
        """Changing users made /proc/self root's; honest code reads it."""
        self._add("prctl", syscalls.PR_SET_DUMPABLE, 1)

    def restrict_files(self, ruleset: Ruleset) -> None:
        """Open only what the ruleset allows."""
        self._add("landlock_restrict_self", ruleset.fd)

    def end_with_the_zygote(self) -> None:
        """Die when the zygote does. Needed where it is not the first process of namespaces."""
        self._add("prctl", syscalls.PR_SET_PDEATHSIG, SIGKILL)
        self._watches_parent = True

    def close_descriptors(self) -> None:
        """Keep none but 0, 1, 2, which are the zygote's null device, and `KEPT_FD`."""
        self._add("close_range", KEPT_FD + 1, 0xFFFFFFFF)

    def restrict_calls(self, filter_: Filter, *, first_of_its_namespace: bool) -> None:
        """Make no system calls but those that the filter allows."""
        if first_of_its_namespace:
            filter_.prepare(1)  # known now, and in every child the same
        else:
            self._filter = filter_
        self._add("seccomp", SET_MODE_FILTER, 0, filter_.address)

    def rehearse(self) -> None:
        """Do what `enter` does, with calls that change nothing, until that code is in use."""
        kept = self.__dict__.copy()
        self._background = self._watches_parent = False
        self._calls, self._filter = [syscalls.prepared("getpid")] * 2, None
        for _ in range(TIMES):
            self.enter(KEPT_FD, alone=False)
        self.__dict__.update(kept)

    def enter(self, keep_fd: int, *, alone: bool) -> int:
        """Make the calls; the one descriptor that stays open.

        Raises `OSError` when a call fails: then this process is not shut off.
        """
        if self._background and not alone:
            limits.stand_back()
        if keep_fd != KEPT_FD:
            os.dup2(keep_fd, KEPT_FD)
        if self._filter is not None:
            self._filter.prepare(os.getpid())
        for call in self._calls:
            if _call(*call) < 0:
                self._failed(call)
        if self._watches_parent and os.getppid() != self._zygote:
            os._exit(1)  # it ended before that took hold
        return KEPT_FD

    def _add(self, name: str, *arguments: int) -> None:
        self._calls.append(syscalls.prepared(name, *arguments))

    def _failed(self, call: tuple[int, ...]) -> None:
        if call[0] == syscalls.NR["close_range"]:  # before Linux 5.9
            os.closerange(KEPT_FD + 1, os.sysconf("SC_OPEN_MAX"))
            return
        raise syscalls.failed(call[0])
