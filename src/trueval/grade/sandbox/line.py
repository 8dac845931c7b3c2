"""The connection to a worker: requests go out, and answers come back in the same order."""

from __future__ import annotations

import asyncio

from trueval.grade.sandbox.wire import MAX_ANSWER_BYTES, Answer, parse_answer


class WorkerError(Exception):
    """A worker ended, hung, or answered something that is no answer.

    `blameless`: another job was at the worker's head, so this one may be tried again freely.
    """

    def __init__(self, message: str, *, blameless: bool = False) -> None:
        super().__init__(message)
        self.blameless = blameless
        self.out_of_time = False
        """The checker ended itself, as comparing the answers took too long."""


class Line(asyncio.Protocol):
    """One worker's. It fails for good, with all who wait, when the worker does."""

    def __init__(self, longest_s: float) -> None:
        """`longest_s`: how long the other end may take for an answer."""
        self.open = True
        self._loop = asyncio.get_running_loop()
        self._longest_s = longest_s
        self._silent_since = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._inbox = b""
        self._waiting: list[asyncio.Future[Answer]] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol: give each complete answer to whoever waits for it."""
        inbox = self._inbox + data if self._inbox else data
        while len(inbox) >= 4:
            end = 4 + int.from_bytes(inbox[:4], "big")
            if end > 4 + MAX_ANSWER_BYTES:
                return self.fail("an answer that is too long")
            if len(inbox) < end:
                break
            self._answer(inbox[4:end])
            inbox = inbox[end:]
        self._inbox = inbox
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self.fail(f"it ended: {exc}" if exc else "it ended")

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Send one request; the answer to come."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        if not self.open or self._transport is None:
            answer.set_exception(WorkerError("a grading worker failed: it ended"))
            return answer
        if not self._waiting:
            self._silent_since = self._loop.time()
        self._waiting.append(answer)
        self._transport.write(request)
        if self._watchdog is None:
            self._watch()
        return answer

    def _watch(self) -> None:
        """Fail if an answer is overdue, and else look again when one may be."""
        # One timer a line, not one a job: those cost more than all else that a job needs here.
        left_s = self._silent_since + self._longest_s - self._loop.time()
        if not self._waiting:
            self._watchdog = None
        elif left_s > 0:
            self._watchdog = self._loop.call_later(left_s, self._watch)
        else:
            self.fail("it does not answer")

    def fail(self, why: str) -> None:
        """Close, and let all who wait know."""
        self.open = False
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, []
        for place, answer in enumerate(waiting):
            if not answer.done():
                message = f"a grading worker failed: {why}"
                answer.set_exception(WorkerError(message, blameless=place > 0))

    def _answer(self, content: bytes) -> None:
        try:
            found = parse_answer(content)
            answer = self._waiting.pop(0)
        except (ValueError, IndexError):
            return self.fail("an answer that is no answer")
        self._silent_since = self._loop.time()
        if not answer.done():
            answer.set_result(found)
        return None
