"""An OpenAI-like server on a loopback port that fails as it is told to.

It answers a prompt with that same prompt, so that a test sees whose answer it got.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

Fault = Literal[
    "none", "drop", "hang", "busy", "error", "corrupt", "truncated", "short_json", "no_choices",
    "error_in_200", "refuse", "html", "not_http", "aborted", "drop_after", "slow",
]  # fmt: skip

TRANSIENT: tuple[Fault, ...] = (
    "drop", "hang", "busy", "error", "corrupt", "truncated", "short_json", "no_choices",
    "error_in_200", "not_http", "aborted", "drop_after",
)  # fmt: skip
"""The faults after which the same request may well succeed."""

CONTEXT_ERROR = "This model's maximum context length is 512 tokens.\nYou asked for 700."


def http(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A whole HTTP answer; `length` when it is to lie about its length."""
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class FaultyServer:
    """Listens while it is entered (`async with`); `plan(prompt, try)` says how each try goes."""

    def __init__(
        self,
        plan: Callable[[str, int], Fault] | None = None,
        *,
        models: Sequence[dict[str, Any]] = ({"id": "echo-1b", "owned_by": "tests"},),
        models_answer: bytes | None = None,
        choice: dict[str, Any] | None = None,
        usage: dict[str, int] | None = None,
        retry_after: str = "0.05",
    ) -> None:
        self.plan = plan or (lambda _prompt, _tried: "none")
        self.models_answer = models_answer or http(
            200, json.dumps({"object": "list", "data": list(models)}).encode(), "Server: faulty"
        )
        self.choice = choice
        self.usage = usage
        self.retry_after = retry_after
        self.tries: Counter[str] = Counter()
        self.asked = asyncio.Event()
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.connections = 0
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FaultyServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to end."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if head.startswith("GET"):
            writer.write(self.models_answer)
            return True
        length = next(
            int(line.partition(":")[2])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        body = json.loads(await reader.readexactly(length))
        is_chat = "/chat/" in head
        prompt = body["messages"][-1]["content"] if is_chat else body["prompt"]
        self.bodies.append(body)
        self.tries[prompt] += 1
        self.asked.set()
        return await self._act(writer, self.plan(prompt, self.tries[prompt]), prompt, is_chat)

    async def _act(
        self, writer: asyncio.StreamWriter, fault: Fault, prompt: str, is_chat: bool
    ) -> bool:
        good = self._completion(prompt, is_chat)
        error = json.dumps({"error": {"message": CONTEXT_ERROR, "code": 400}}).encode()
        match fault:
            case "drop":
                return False
            case "hang":
                await asyncio.sleep(60)
            case "slow":
                await asyncio.sleep(0.2)
                writer.write(http(200, good))
            case "truncated":  # the length says more is to come
                writer.write(http(200, good[: len(good) // 2], length=len(good)))
                return False
            case "aborted":
                writer.write(http(200, good.replace(b'"stop"', b'"abort"')))
            case "drop_after":  # a server that closes the connection that it promised to keep
                writer.write(http(503, b"{}"))
                return False
            case _:
                writer.write(
                    {
                        "busy": http(429, b'{"error": "busy"}', f"Retry-After: {self.retry_after}"),
                        "error": http(500, b"<html>Internal Server Error</html>"),
                        "corrupt": http(200, b"\xff\x00" + good),
                        "short_json": http(200, good[: len(good) // 2]),
                        "no_choices": http(200, b'{"choices": []}'),
                        "error_in_200": http(200, error),
                        "refuse": http(400, error),
                        "html": http(404, b"<html>no such page</html>"),
                        "not_http": b"220 smtp ready\r\n",
                        "none": http(200, good),
                    }[fault]
                )
                return fault != "not_http"
        return True

    def _completion(self, prompt: str, is_chat: bool) -> bytes:
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        if is_chat:
            choice["message"] = {"role": "assistant", "content": prompt, "reasoning_content": "hm"}
        else:
            choice["text"] = prompt
        if self.choice is not None:
            choice = self.choice
        answer: dict[str, Any] = {"choices": [choice]}
        if self.usage:
            answer["usage"] = self.usage
        return json.dumps(answer).encode()
