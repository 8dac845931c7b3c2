"""The zygote: a small warm process that forks candidates, keeps their time and ends them.

It never sees a test, an expected value or a secret: what it forks has nothing to find. It serves
one checker, one running candidate at a time, and keeps the next ones forked ahead.
"""

from __future__ import annotations

import gc
import os
import struct
from _socket import AF_UNIX, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET, socketpair
from posix import close
from typing import TYPE_CHECKING, Any, NoReturn

from trueval.grade.sandbox import candidate, supervise, syscalls, wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trueval.grade.sandbox.jail import Jail

SCM_RIGHTS = 1
AHEAD, REFILL = 6, 2
"""Candidates that are alive when more have been forked, and when more are: the one that runs, and
those that wait. In a row a fork is cheaper: what we write to after it is copied first."""


def patience_s(timeout_s: float) -> float:
    """How long a checker waits for an answer before it asks for a watch."""
    return min(timeout_s / 4, 0.3)


class CheckerGoneError(Exception):
    """The other end of the control socket is closed."""


class Zygote:
    """Forks candidates inside the jail, and ends them when told or when their time is up."""

    def __init__(self, jail: Jail, control: Any, settings: dict[str, Any]) -> None:
        self._jail, self._control, self._settings = jail, control, settings
        self._alive: dict[int, tuple[int, int]] = {}
        """Number -> pid and the checker's end of its socket, in the order they will run in."""
        self._made = 0
        self._alone = False
        self._watch: supervise.Watch | None = None
        self._begin, self._enter, self._bare_fork = candidate.begin, jail.way_in(), jail.fork()
        patience = struct.pack(
            "ll", *divmod(int(patience_s(settings["timeout_s"]) * 1e6), 1_000_000)
        )
        self._patience = patience

    def serve(self) -> None:
        """Fork, watch and end candidates until the checker is gone."""
        while True:
            # From here alone: how deep a candidate may recurse counts from where it was forked.
            self._fork_ahead()
            kind, number, value = self._next_order()
            if kind == wire.STOP:
                self._end(number, "", is_gone=bool(value))
            elif kind == wire.WATCH:
                self._start_watch(number, value)
            elif kind == wire.ALONE:
                self._only_one_alone()

    def _next_order(self) -> tuple[bytes, int, float]:
        """The checker's next order; while it waits for one, a watched candidate's time runs.

        If it ends that candidate it gives none.
        """
        if self._watch is not None:
            if self._watch.until_order(self._control.fileno()):
                self._watch.close()
                self._watch = None
            else:
                watch, self._watch = self._watch, None
                watch.close()
                self._end(watch.number, watch.reason)
                return wire.READY, 0, 0.0
        order = self._control.recv(wire.CONTROL.size)
        if not order:
            raise CheckerGoneError
        kind, number, value = wire.CONTROL.unpack(order)
        return kind, number, value

    def _start_watch(self, number: int, waited_s: float) -> None:
        if number in self._alive:
            idle = self._settings["background"] and not self._alone
            self._watch = supervise.Watch(
                number, *self._alive[number], self._settings, waited_s, idle
            )

    def _end(self, number: int, reason: str, *, is_gone: bool = False) -> None:
        """End a candidate and all that it started, and say how it ended."""
        if number not in self._alive:
            return  # it ended, and that was told, before the order came
        pid, answers = self._alive.pop(number)
        os.close(answers)
        if is_gone and not supervise.has_ended_soon(pid):
            reason = "socket: closed by the program"
        status, peak_kb, cpu_s = supervise.end(pid)
        self._clean_up()
        text = reason.encode()[:200]
        how = wire.END.pack(status, peak_kb, cpu_s, len(text)) + text
        self._tell(wire.ENDED, number, 0.0, how)
        self._alone = False

    def _fork_ahead(self) -> None:
        if self._alone:
            return
        # At level `bare` a candidate could kill one that waits, and spoil what is not its own.
        most, least = (1, 0) if self._jail.level == "bare" else (AHEAD, REFILL)
        if len(self._alive) <= least:
            self._fork(most - len(self._alive), alone=False)

    def end_all(self) -> None:
        """End every candidate, also those that wait."""
        for pid, answers in self._alive.values():
            supervise.end(pid)
            os.close(answers)
        self._alive.clear()
        self._clean_up()

    def _only_one_alone(self) -> None:
        self.end_all()
        self._alone = True
        self._fork(1, alone=True)

    def _clean_up(self) -> None:
        if self._jail.level == "bare":
            supervise.end_stragglers([pid for pid, _ in self._alive.values()])
        self._jail.after()

    def _fork(self, count: int, *, alone: bool) -> None:
        """Fork so many candidates in a row, or as many as the machine allows; one at least."""
        # All but the forks is done before them or after: a page that is written to between two of
        # them is copied each time. So each child has the ends of those after it until it shuts
        # itself off, and none of those before it: what a candidate closes is closed.
        pairs = [self._pair() for _ in range(count)]
        pids = self._forked([theirs for _, theirs in pairs], alone)
        for ours, theirs in pairs[len(pids) :]:
            os.close(ours)
            os.close(theirs)
        if pids:
            ends = [ours for ours, _ in pairs[: len(pids)]]
            self._tell(wire.FORKED, self._made + 1, float(alone), b"", ends)
            for pid, ours in zip(pids, ends, strict=True):
                self._made += 1
                self._alive[self._made] = pid, ours
        if not self._alive:
            raise syscalls.fork_failed()

    def _forked(self, sockets: list[int], alone: bool) -> list[int]:
        """The processes of candidates at these sockets; fewer where no more are allowed here."""
        # Looked up before the fork: a child copies every page that it is the first to write to,
        # and Python writes to whatever it looks at.
        begin, enter, fork = self._begin, self._enter, self._bare_fork
        pids: list[int] = []
        for fd in sockets:
            pid = fork()
            if pid == 0:
                begin(enter, fd, alone=alone)
            if pid < 0:
                break
            close(fd)
            pids.append(pid)
        return pids

    def _pair(self) -> tuple[int, int]:
        """The checker's end of a new socket, and the candidate's."""
        ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
        # The checker's end gives up waiting, and has us watch what is slow.
        ours.setsockopt(SOL_SOCKET, SO_RCVTIMEO, self._patience)
        ours.setsockopt(SOL_SOCKET, SO_SNDTIMEO, self._patience)
        return ours.detach(), theirs.detach()

    def _tell(
        self, kind: bytes, number: int, value: float, more: bytes = b"", fds: Sequence[int] = ()
    ) -> None:
        message = wire.CONTROL.pack(kind, number, value) + more
        if not fds:
            self._control.send(message)
            return
        rights = struct.pack(f"{len(fds)}i", *fds)
        self._control.sendmsg([message], [(SOL_SOCKET, SCM_RIGHTS, rights)])


def tell_and_serve(jail: Jail, control: Any, settings: dict[str, Any]) -> NoReturn:
    """Enter the jail, say how it went, and serve. Never returns."""
    try:
        try:
            jail.become_zygote((control.fileno(),))
        except Exception as error:
            control.send(wire.FAILED + str(error).encode()[:2000])
            raise
        control.send(wire.READY + repr(jail.describe()).encode())
        gc.collect()
        gc.freeze()  # a collection in a child then leaves these pages shared
        syscalls.trim()
        zygote = Zygote(jail, control, settings)
        try:
            zygote.serve()
        finally:
            zygote.end_all()
    finally:
        os._exit(0)
