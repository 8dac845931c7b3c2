"""The checker's orders to the zygote, and what it hears from it of candidates."""

from __future__ import annotations

import os
import select
import struct
from typing import Any

from trueval.grade.sandbox import wire
from trueval.grade.sandbox.clock import OwnDelay

CONTROL_BYTES, RIGHTS_BYTES = 4096, 128
"""Room for a message, and for the descriptors that come with it."""


class Orders:
    """The checker's end of the control socket: asks for candidates, and has them ended."""

    def __init__(
        self, control: Any, jobs: int, timeout_s: float, memory_mb: int, is_full: bool
    ) -> None:
        """`is_full`: candidates are at level full, where none can have itself killed."""
        self.control, self.jobs = control, jobs
        self.timeout_s, self.memory_mb, self.is_full = timeout_s, memory_mb, is_full
        self._waiting: list[tuple[int, int]] = []
        self._ended: dict[int, tuple[int, int, float, str]] = {}
        self.delay = OwnDelay()

    def order(self, kind: bytes, number: int, value: float = 0.0) -> None:
        """Tell the zygote something about one candidate."""
        self.control.send(wire.CONTROL.pack(kind, number, value))

    def next_socket(self, *, alone: bool) -> tuple[int, int]:
        """Number and socket of a fresh candidate; nothing is left of the one before."""
        if alone:
            while self._waiting:
                os.close(self._waiting.pop()[1])
            self.order(wire.ALONE, 0)
            while self._hear() != (wire.FORKED, 1.0):
                while self._waiting:
                    os.close(self._waiting.pop()[1])
        while True:
            while not self._waiting:
                self._hear()
            number, fd = self._waiting.pop(0)
            if not _is_closed(fd):
                return number, fd
            # Somebody ended it while it waited: that says nothing of the next program.
            os.close(fd)
            self.stopped(number)

    def stopped(self, number: int, *, is_gone: bool = False) -> tuple[int, int, float, str]:
        """End a candidate: exit status, peak memory in KiB, CPU time in s, and why if it had to.

        `is_gone`: its socket is closed, so that it has ended by itself, or is about to.
        """
        if number not in self._ended:
            self.order(wire.STOP, number, float(is_gone))
        while number not in self._ended:
            self._hear()
        # It stays for whoever asks again, and was interrupted: the zygote tells it once.
        self._ended = {number: self._ended[number]}
        return self._ended[number]

    def has_ended(self, number: int) -> bool:
        """Read what the zygote has to say: whether it is that this candidate ended."""
        self._hear()
        return number in self._ended

    def _hear(self) -> tuple[bytes, float]:
        message, rights, _, _ = self.control.recvmsg(CONTROL_BYTES, RIGHTS_BYTES)
        if not message:
            os._exit(3)  # the grader starts both anew, and has this job done again
        kind, number, value = wire.CONTROL.unpack_from(message)
        if kind == wire.FORKED:
            ((_, _, fds),) = rights
            self._waiting += enumerate(struct.unpack(f"{len(fds) // 4}i", fds), number)
        elif kind == wire.ENDED:
            status, peak_kb, cpu_s, size = wire.END.unpack_from(message, wire.CONTROL.size)
            reason = message[-size:].decode() if size else ""
            self._ended[number] = (status, peak_kb, cpu_s, reason)
        return kind, value


def _is_closed(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)  # hang-ups are always reported
    return bool(poll.poll(0))
