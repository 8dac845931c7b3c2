"""The checker's end of one candidate's socket: requests, replies, and whose time it is meanwhile.

Nothing that comes from a candidate is trusted: sizes are capped before they are read, and how it
ended is what the zygote says, never what it says itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from time import monotonic

from trueval.grade.sandbox import wire
from trueval.grade.sandbox.candidate import MAX_REPLY_BYTES
from trueval.grade.sandbox.endings import (
    KILLED,
    STARVED,
    GraderGoneError,
    NotSetUpError,
    SampleOver,
)
from trueval.grade.sandbox.orders import Orders
from trueval.grade.sandbox.zygote import patience_s

NO_ANSWER = "its answer is no answer"
MAX_WRITE = 1 << 16
"""Bytes: after each such part it is looked at how long the reader takes."""
SIGXCPU, SIGKILL = int(signal.SIGXCPU), int(signal.SIGKILL)
POLLIN, POLLOUT = select.POLLIN, select.POLLOUT


class Exchange:
    """What is said to one candidate, and what it replies, from its start to its end."""

    def __init__(self, zygote: Orders, number: int, fd: int) -> None:
        self._zygote, self._number, self._fd = zygote, number, fd
        self._begun = self._is_gone = self._is_slow = False
        self._patience_s = patience_s(zygote.timeout_s)
        self._delay_seen, self._looked_at = zygote.delay(), monotonic()
        """For how long we had no core, when last we looked: that costs more than the time does."""
        self._ask_now()
        self.waited_s = 0.0
        """Time in which the candidate had the word."""
        self.over: SampleOver | None = None
        """What became of it, once it can answer no more: a test cannot take that back."""
        self._one_at_a_time = threading.Lock()
        """A test may call from several threads."""

    def send(self, request: bytes) -> None:
        """Send a request, and wait for no reply."""
        message = wire.packed(request)
        if not self._is_slow and len(message) <= MAX_WRITE:
            try:
                sent = os.write(self._fd, message)
            except BlockingIOError:
                sent = 0
                self._is_slow = True
            except OSError:
                raise self._ended() from None
            if sent == len(message):
                return
            message = message[sent:]
        self._send_in_parts(memoryview(message))

    def _send_in_parts(self, rest: memoryview) -> None:
        while rest:
            if self._is_slow:
                self._watched_wait(POLLOUT)
            try:
                rest = rest[os.write(self._fd, rest[:MAX_WRITE]) :]
            except BlockingIOError:
                self._is_slow = True
            except OSError:
                raise self._ended() from None
            # One that reads little by little lets each write through.
            self._is_slow = self._is_slow or bool(rest and self._since_asked() > self._patience_s)

    def ask(self, request: bytes) -> bytes:
        """The reply to a request, as the candidate wrote it. Raises `SampleOver` for want of it."""
        with self._one_at_a_time:
            if self.over is not None:
                raise self.over
            self._ask_now()
            self.send(request)
            reply = self._reply()
            self._note_wait()
            return reply

    def more(self, owed: int) -> bytes:
        """What comes next: at least a byte, and as many as are owed if those are many."""
        parts = [self._timed_read(max(65536, min(owed, 1 << 20)))]
        owed -= len(parts[0])
        while owed > 0:
            parts.append(self._timed_read(max(65536, min(owed, 1 << 20))))
            owed -= len(parts[-1])
        return b"".join(parts)

    def _timed_read(self, most: int) -> bytes:
        # The candidate goes on while its answers are compared here. Only waiting counts.
        self._ask_now()
        data = self._read(most)
        if not self._begun:
            data = self._without_begun(data)
        self._note_wait()
        return data

    def _ask_now(self) -> None:
        self._asked_at = monotonic()
        if self._asked_at - self._looked_at > self._patience_s:
            self._look()
        self._delay_then = self._delay_seen

    def _look(self) -> None:
        self._delay_seen, self._looked_at = self._zygote.delay(), monotonic()

    def _since_asked(self) -> float:
        """Seconds in which the candidate had the word."""
        waited_s = monotonic() - self._asked_at
        if waited_s > self._patience_s:
            # Its answer may have lain there while we had no core to read it on.
            self._look()
            waited_s = max(0.0, waited_s - (self._delay_seen - self._delay_then))
        return waited_s

    def _note_wait(self) -> None:
        self.waited_s += self._since_asked()
        # Many quick answers use up a limit as well as a slow one does.
        self._is_slow = self.waited_s > self._patience_s

    def end(self, verdict: str, detail: str, cause: str) -> SampleOver:
        """Ask no more; the exception to raise. Only the first end counts."""
        if self.over is None:
            self.over = SampleOver(verdict, detail, cause)
        return self.over

    def close(self) -> None:
        """End the candidate. Only now is it known how much memory it used."""
        os.close(self._fd)
        if not self._is_gone:
            self._is_gone = True
            _, peak_kb, _, reason = self._zygote.stopped(self._number)
            if reason.startswith(("timeout (wall)", STARVED)):
                reason = ""  # it has answered all that was asked, and what it waits for is us
            # Also where it would have passed: with more load it would have been caught at it.
            if reason or peak_kb > 1024 * self._zygote.memory_mb:
                self.over = _over_by(reason or f"memory: {peak_kb // 1024} MB")

    def _reply(self) -> bytes:
        data: bytes | bytearray = self._read(65536)
        if not self._begun:
            data = self._without_begun(bytes(data))
        while True:
            if len(data) >= 4:
                end = 4 + int.from_bytes(data[:4], "big")
                if end > MAX_REPLY_BYTES:
                    raise self.end("crashed", "reply too large", "protocol")
                if len(data) == end:
                    return bytes(data[4:])
                if len(data) > end:
                    raise self.end("crashed", NO_ANSWER, "protocol")
                if isinstance(data, bytes):
                    data = bytearray(data)
            # Bytes that come one by one wake us each, and are no answer.
            self._is_slow = self._is_slow or self._since_asked() > self._patience_s
            data += self._read(1 << 18)

    def _without_begun(self, data: bytes) -> bytes:
        if data[:1] != wire.BEGUN:
            text = data[1:].decode("utf-8", "replace")
            raise NotSetUpError(f"a candidate's process could not be set up: {text}")
        self._begun = True
        return data[1:]

    def _read(self, most: int) -> bytes:
        while True:
            if self._is_slow:
                self._watched_wait(POLLIN)
            try:
                data = os.read(self._fd, most)
            except BlockingIOError:
                self._is_slow = True
                continue
            except OSError:
                data = b""
            if not data:
                raise self._ended()
            return data

    def _watched_wait(self, event: int) -> None:
        """Wait for the candidate while the zygote watches its time. Raises when it ends."""
        zygote = self._zygote
        poll = select.poll()
        poll.register(self._fd, event)
        if poll.poll(0):
            return
        poll.register(zygote.control, POLLIN)
        poll.register(zygote.jobs, 0)  # hang-ups are always reported
        waited_s = self.waited_s + self._since_asked()
        zygote.order(wire.WATCH, self._number, waited_s)
        while True:
            ready = dict(poll.poll())
            # Its answer comes first: it may have ended right after giving it.
            if self._fd in ready:
                zygote.order(wire.PAUSE, self._number)
                return
            if zygote.jobs in ready:
                raise GraderGoneError
            if zygote.has_ended(self._number):
                raise self._ended()

    def _has_said_that_it_began(self) -> bool:
        # It may have ended before it read its program: then writing that failed, and there is
        # still to read what it said first.
        with contextlib.suppress(OSError):
            return os.read(self._fd, 1) == wire.BEGUN
        with contextlib.suppress(OSError):  # the first read may tell of the failed write
            return os.read(self._fd, 1) == wire.BEGUN
        return False

    def _ended(self) -> SampleOver:
        """What to raise when the candidate's socket is closed, or its time is up."""
        status, peak_kb, cpu_s, reason = self._zygote.stopped(self._number, is_gone=True)
        self._is_gone = True
        code = os.waitstatus_to_exitcode(status)
        if not (self._begun or self._has_said_that_it_began()):
            raise NotSetUpError(f"a candidate's process could not be set up: exit {code}")
        self.waited_s += self._since_asked()
        if reason:
            self.over = _over_by(reason)
            return self.over
        # The kernel's own count may be ahead of ours, and a first process can ignore its signal.
        if code == -SIGXCPU or (code == -SIGKILL and cpu_s >= self._zygote.timeout_s):
            return self.end("timeout", "timeout (cpu): the kernel's limit", "timeout-cpu")
        if code < 0 and peak_kb > 0.8 * 1024 * self._zygote.memory_mb:
            detail = f"signal {-code} at {peak_kb // 1024} MB"
            return self.end("out_of_memory", detail, "out-of-memory")
        if code == -SIGKILL and self._zygote.is_full:
            return self.end(KILLED, "signal 9 before the tests ended", "signal")
        how = f"signal {-code}" if code < 0 else f"exited {code}"
        cause = "signal" if code < 0 else "exited"
        return self.end("crashed", f"{how} before the tests ended", cause)


# What a zygote's reason begins with, up to the colon, and what that means.
_REASONS = {
    "timeout (cpu)": ("timeout", "timeout-cpu"),
    "timeout (wall)": ("timeout", "timeout-wall"),
    STARVED: (STARVED, "timeout-wall"),
    "memory": ("out_of_memory", "out-of-memory"),
    "socket": ("crashed", "protocol"),
}


def _over_by(reason: str) -> SampleOver:
    """The end of a candidate that used too much time or memory."""
    verdict, cause = _REASONS[reason.partition(":")[0]]
    return SampleOver(verdict, reason, cause)
