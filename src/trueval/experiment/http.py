"""Requests and answers of the grading service: JSON in, JSON out, and who is asking."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trueval.experiment.submission import SHAPE

if TYPE_CHECKING:
    from aiohttp import web

MAX_BODY_BYTES = 16 * 1024**2
BODY_TIMEOUT_S = 60.0
RETRY_AFTER_S = 1
NDJSON = "application/x-ndjson"


class RefusedError(Exception):
    """A request that is not served, with the status that says why."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at `host`."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(request: web.Request) -> str:
    """The host that a request names, without a port."""
    host = request.headers.get("Host", "")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_gone(request: web.Request) -> bool:
    """Whether the client has closed its connection."""
    return request.transport is None or request.transport.is_closing()


async def json_body(request: web.Request) -> dict[str, Any]:
    """The JSON object that a request holds. Raises `RefusedError` when it holds none."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await request.read()
    except TimeoutError:
        raise RefusedError(408, "the body did not arrive in time") from None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body is no JSON: {error}"[:200], SHAPE) from None
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is no JSON object", SHAPE)
    return found


async def streamed(
    request: web.Request, lines: AsyncIterator[dict[str, Any]]
) -> web.StreamResponse:
    """An answer of JSON lines, each sent as it comes, until the client leaves."""
    from aiohttp import web

    response = web.StreamResponse(headers={"Content-Type": NDJSON})
    await response.prepare(request)
    with suppress(ConnectionResetError):  # the client left
        async for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
        await response.write_eof()
    return response


def json_answer(content: Any, status: int = 200) -> web.Response:
    """Plain data as an answer."""
    from aiohttp import web

    return web.json_response(content, status=status)


def error_answer(refused: RefusedError) -> web.Response:
    """What is wrong and what to do, as an answer."""
    response = json_answer({"error": refused.error, "hint": refused.hint}, refused.status)
    if refused.status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
