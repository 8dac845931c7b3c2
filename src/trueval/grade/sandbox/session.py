"""The checker's side of one candidate: send the program, make calls, read answers as plain data.

Nothing that comes from a candidate is trusted: sizes are capped before they are read, values are
decoded by `codec`, and how a candidate ended is what the zygote says, never what it says itself.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import select
import signal
import struct
import time
from typing import Any

from trueval.grade.sandbox import codec, wire
from trueval.grade.sandbox.candidate import MAX_REPLY_BYTES
from trueval.grade.sandbox.references import referenced
from trueval.grade.sandbox.zygote import patience_s

CONTROL_BYTES = 4096
NO_ANSWER = "its answer is no answer"
SIGXCPU = int(signal.SIGXCPU)
POLLIN, POLLOUT = select.POLLIN, select.POLLOUT


class HarnessError(Exception):
    """Something of ours failed, or a test asks for what cannot be done. It is no verdict."""


class NotSetUpError(HarnessError):
    """A candidate's process ended before it was ready for a program: another may do better."""


class SampleOver(BaseException):
    """The candidate can answer no more: `verdict` and `detail` say what became of it."""

    def __init__(self, verdict: str, detail: str) -> None:
        super().__init__(verdict, detail)
        self.verdict, self.detail = verdict, detail


class GraderGoneError(BaseException):
    """Nobody waits for an answer any more."""


class CandidateError(Exception):
    """The candidate raised an exception that is no built-in one."""


class Zygote:
    """The checker's end of the control socket: it hands out candidates, and has them ended."""

    def __init__(self, control: Any, jobs: int, timeout_s: float, memory_mb: int) -> None:
        self.control, self.jobs = control, jobs
        self.timeout_s, self.memory_mb = timeout_s, memory_mb
        self._waiting: list[tuple[int, int]] = []
        self._ended: dict[int, tuple[int, int, str]] = {}

    def order(self, kind: bytes, number: int, value: float = 0.0) -> None:
        """Tell the zygote something about one candidate."""
        self.control.send(wire.CONTROL.pack(kind, number, value))

    def next_candidate(self, *, alone: bool) -> Session:
        """A fresh candidate; nothing is left of the one before."""
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
                return Session(self, number, fd)
            # Somebody ended it while it waited: that says nothing of the next program.
            os.close(fd)
            self.stopped(number)

    def stopped(self, number: int) -> tuple[int, int, str]:
        """End a candidate: its exit status, peak memory in KiB and the zygote's reason, if any."""
        if number not in self._ended:
            self.order(wire.STOP, number)
        while number not in self._ended:
            self._hear()
        end = self._ended[number]
        self._ended.clear()
        return end

    def has_ended(self, number: int) -> bool:
        """Read what the zygote has to say: whether it is that this candidate ended."""
        self._hear()
        return number in self._ended

    def _hear(self) -> tuple[bytes, float]:
        message, rights, _, _ = self.control.recvmsg(CONTROL_BYTES, 64)
        if not message:
            os._exit(3)  # the grader starts both anew, and has this job done again
        kind, number, value = wire.CONTROL.unpack_from(message)
        if kind == wire.FORKED:
            ((_, _, fd),) = rights
            self._waiting.append((number, struct.unpack("i", fd)[0]))
        elif kind == wire.ENDED:
            status, peak_kb, size = wire.END.unpack_from(message, wire.CONTROL.size)
            reason = message[-size:].decode() if size else ""
            self._ended[number] = (status, peak_kb, reason)
        return kind, value


class Session:
    """One candidate, from its program to its end."""

    def __init__(self, zygote: Zygote, number: int, fd: int) -> None:
        self._zygote, self._number, self._fd = zygote, number, fd
        self._begun = self._is_gone = self._is_slow = False
        self._asked_at = time.monotonic()
        self.waited_s = 0.0
        """Time in which the candidate had the word."""
        self.over: SampleOver | None = None
        """What became of it, once it can answer no more: a test cannot take that back."""
        self.unshippable = ""
        """What kind of answer was not data, if one was not."""

    def send(self, request: bytes) -> None:
        """Send a request, and wait for no reply."""
        content = wire.packed(request)
        while content:
            if self._is_slow:
                self._watched_wait(POLLOUT)
            try:
                content = content[os.write(self._fd, content) :]
            except BlockingIOError:
                self._is_slow = True
            except OSError:
                raise self._ended() from None

    def ask(self, request: bytes) -> bytes:
        """The reply to a request, as the candidate wrote it. Raises `SampleOver` for want of it."""
        if self.over is not None:
            raise self.over
        self._asked_at = time.monotonic()
        self.send(request)
        reply = self._reply()
        self.waited_s += time.monotonic() - self._asked_at
        # Many quick answers use up a limit as well as a slow one does.
        self._is_slow = self.waited_s > patience_s(self._zygote.timeout_s)
        return reply

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the entry point returns; what it changed in its arguments is changed here too."""
        reply = self.ask(self._request(args, kwargs))
        if reply[:1] != wire.VALUE_AND_ARGUMENTS:
            return self.value_of(reply)
        size = int.from_bytes(reply[1:5], "big")
        value = self._decoded(reply[5 : 5 + size])
        changed = self._decoded(reply[5 + size :])
        if type(changed) is tuple and len(changed) == 2:
            codec.copy_back((args, kwargs), changed)
        return value

    def value_of(self, reply: bytes) -> Any:
        """The value in a reply. Raises what the candidate raised."""
        kind = reply[:1]
        if kind == wire.VALUE:
            return self._decoded(reply[1:])
        if kind == wire.RAISED:
            raise _exception(reply[1:])
        if kind == wire.NO_MEMORY:
            raise self.end("out_of_memory", "MemoryError")
        if kind == wire.EXITED:
            raise self.end("crashed", "exit before the tests ended")
        raise self.end("crashed", NO_ANSWER)

    def end(self, verdict: str, detail: str) -> SampleOver:
        """Ask no more; the exception to raise. Only the first end counts."""
        if self.over is None:
            self.over = SampleOver(verdict, detail)
        return self.over

    def close(self) -> None:
        """End the candidate. Only now is it known how much memory it used."""
        os.close(self._fd)
        if not self._is_gone:
            self._is_gone = True
            _, peak_kb, reason = self._zygote.stopped(self._number)
            # Also where it would have passed: with more load it would have been caught at it.
            if reason or peak_kb > 1024 * self._zygote.memory_mb:
                self.over = _over_by(reason or f"memory: {peak_kb // 1024} MB")

    def _request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        try:
            return wire.CALL + codec.dumps_args(args, kwargs)
        except codec.NotData:
            try:
                named = codec.dumps_args(referenced(args), referenced(kwargs))
            except codec.NotData as error:
                if self.unshippable:
                    text = f"unsupported value: {self.unshippable}"
                    raise CandidateError(text) from None
                raise HarnessError(f"a test passes what is not data: {error}") from None
            return wire.CALL_WITH_REFERENCES + named

    def _decoded(self, data: bytes) -> Any:
        try:
            value = codec.decode(data)
        except codec.DecodeError:
            raise self.end("crashed", NO_ANSWER) from None
        if isinstance(value, codec.Opaque):
            self.unshippable = value.type_name
        return value

    def _reply(self) -> bytes:
        first = self._read(65536)
        data: bytes | bytearray = first if self._begun else self._without_begun(first)
        while True:
            if len(data) >= 4:
                end = 4 + int.from_bytes(data[:4], "big")
                if end > MAX_REPLY_BYTES:
                    raise self.end("crashed", "reply too large")
                if len(data) == end:
                    return bytes(data[4:])
                if len(data) > end:
                    raise self.end("crashed", NO_ANSWER)
                if isinstance(data, bytes):
                    data = bytearray(data)
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
        waited_s = self.waited_s + time.monotonic() - self._asked_at
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
        status, peak_kb, reason = self._zygote.stopped(self._number)
        self._is_gone = True
        code = os.waitstatus_to_exitcode(status)
        if not (self._begun or self._has_said_that_it_began()):
            raise NotSetUpError(f"a candidate's process could not be set up: exit {code}")
        self.waited_s += time.monotonic() - self._asked_at
        if reason:
            self.over = _over_by(reason)
            return self.over
        if code == -SIGXCPU:  # the kernel's own count was ahead of ours
            return self.end("timeout", "timeout (cpu): the kernel's limit")
        if code < 0 and peak_kb > 0.8 * 1024 * self._zygote.memory_mb:
            return self.end("out_of_memory", f"signal {-code} at {peak_kb // 1024} MB")
        how = f"signal {-code}" if code < 0 else f"exited {code}"
        return self.end("crashed", f"{how} before the tests ended")


def _is_closed(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)  # hang-ups are always reported
    return bool(poll.poll(0))


def _over_by(reason: str) -> SampleOver:
    """The end of a candidate that used too much time or memory."""
    return SampleOver("timeout" if reason.startswith("timeout") else "out_of_memory", reason)


def _exception(reply: bytes) -> Exception:
    """The candidate's exception as its first built-in class, and marked as the candidate's."""
    name, base, text = [*reply.decode("utf-8", "replace").split("\0", 2), "", ""][:3]
    name, text = name[:100], text[:1000]
    detail = f"{name}: {text}" if name and text else name or text
    kind = getattr(builtins, base, None)
    error: Exception = CandidateError(detail)
    if type(kind) is type and issubclass(kind, Exception):
        with contextlib.suppress(TypeError):  # UnicodeDecodeError takes more than a message
            error = kind(text)
    error.from_candidate = detail  # type: ignore[attr-defined]
    return error
