"""A server with a model, for tests: it answers problems of the demo task, and counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from trueval.tasks.demo import Demo


async def at_once() -> None:
    """Wait for nothing."""


class StandIn:
    """Listens while it is entered. It knows all answers but those to every `lapse`th problem."""

    def __init__(self, *, lapse: int = 3, wait: Callable[[], Awaitable[object]] = at_once) -> None:
        """`wait` is awaited before each answer."""
        self.asked = asyncio.Event()
        """Set by the first request for a sample."""
        self.requests = 0
        self.in_flight = 0
        self.most = 0
        self._lapse = lapse
        self._wait = wait
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> StandIn:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = await reader.readexactly(_length(head))
                said = json.dumps(await self._answer(head.split()[1], body)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(said) + said)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # whoever asked is gone
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, path: str, body: bytes) -> Any:
        if path == "/v1/models":
            return {"object": "list", "data": [{"id": "base-1b", "owned_by": "tests"}]}
        self.asked.set()
        self.requests += 1
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self._wait()
        finally:
            self.in_flight -= 1
        text = self._text(json.loads(body)["prompt"])
        return {
            "choices": [{"text": text, "finish_reason": "stop", "index": 0}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        }

    def _text(self, prompt: str) -> str:
        task = Demo().load()
        for number, problem in enumerate(task.problems):
            if problem.prefix.strip() in prompt:
                lapsed = number % self._lapse == 0
                return "    return None\n" if lapsed else _canonical(task, problem.problem_id)
        return ""


def _canonical(task: Any, problem_id: str) -> str:
    return str(task.references[problem_id].canonical_solution)


def _length(head: str) -> int:
    lines = (line.partition(":") for line in head.lower().splitlines())
    return next((int(value) for name, _, value in lines if name == "content-length"), 0)
