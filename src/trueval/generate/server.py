"""Any server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, Ollama, a hosted one."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from trueval.errors import BackendError, ConfigError
from trueval.generate import infilling
from trueval.generate import openai_api as api
from trueval.generate._retry import Backoff, parse_retry_after
from trueval.types import ChatPrompt, Completion, Failure, InfillPrompt, Mode, Request

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

_ENDPOINTS = {
    "completion": "v1/completions",
    "chat": "v1/chat/completions",
    "infill": "infill",
    "tokenize": "tokenize",
}
_PATIENCE_S = 30.0
"""How long a server may take to say which models it has."""


class ServerBackend:
    """Draws completions from an OpenAI-compatible server, `concurrency` at a time."""

    name = "server"
    backoff = Backoff()

    def __init__(
        self,
        *,
        base_url: str,
        model: str | None = None,
        mode: Mode | None = None,
        api_key: str | None = None,
        concurrency: int = 64,
        timeout_s: float = 120,
        retries: int = 5,
        extra_body: Mapping[str, Any] | None = None,
        pinned: bool = False,
    ) -> None:
        """`pinned`: you vouch that this name at this address stays the same weights and settings,
        so that its answers may be cached."""
        if concurrency < 1 or timeout_s <= 0 or retries < 0:
            raise ConfigError(
                "a server needs concurrency >= 1, timeout_s > 0 and retries >= 0, "
                f"got {concurrency}, {timeout_s} and {retries}"
            )
        api.check_extra_body(extra_body or {})
        self.base_url = _root_of(base_url)
        self.model = model
        self.mode = mode
        self.concurrency = concurrency
        self.timeout_s = timeout_s
        self.retries = retries
        self.shares_cores = _is_loopback(self.base_url)
        self._api_key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
        self._extra_body = dict(extra_body or {})
        self._pinned = pinned
        self._always: dict[str, Any] = {}
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._slots: asyncio.Semaphore
        self._engine = ""
        self._infill_probe: asyncio.Task[str] | None = None

    # ----------------------------------------------------------------------- open and close

    async def open(self) -> Mapping[str, Any]:
        """Connect, and say which model answers. Raises `BackendError` when none can."""
        await self.close()
        self._session = self._new_session()
        try:
            served, server_header = await self._list_models()
            chosen = api.choose_model(served, self.model, self._where)
        except BaseException:
            await self.close()
            raise
        self.model = chosen["id"]
        about = api.describe(chosen, server_header=server_header)
        self._engine = about["engine"]
        if (tokens := await self._fim_tokens()) is not None:
            about["fim_tokens"] = tokens
        self._always = {**api.NEUTRAL.get(about["engine"], {}), **self._extra_body}
        return {
            **about,
            "mode": self.mode or api.guess_mode(about["id"]),
            "base_url": self._where,
            "pinned": self._pinned,
            "always_sent": self._always,
        }

    async def close(self) -> None:
        """Close every connection. Safe to call twice."""
        session, self._session = self._session, None
        probe, self._infill_probe = self._infill_probe, None
        if probe is not None:
            probe.cancel()
        if session is not None:
            await session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp  # on first use: the command line starts without it
        from yarl import URL

        self._urls = {mode: URL(f"{self.base_url}/{path}") for mode, path in _ENDPOINTS.items()}
        self._slots = asyncio.Semaphore(self.concurrency)
        # Answers are small and mostly local: compressing them costs more than it saves.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.concurrency),
            # An API has no cookies, and looking for them takes time on every request.
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
        )

    async def _list_models(self) -> tuple[list[dict[str, Any]], str | None]:
        """The models served, and the Server header."""
        import aiohttp

        patience_s = min(self.timeout_s, _PATIENCE_S)
        try:
            status, raw, headers = await self._get_models(patience_s)
        except TimeoutError:
            raise BackendError(
                f"{self._where} does not answer within {patience_s:g} s",
                hint="look at the server's log: it may still be loading; then run this again",
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise BackendError(
                f"no server at {self._where}: {error.strerror or error}",
                hint="start one, e.g. `vllm serve Qwen/Qwen2.5-Coder-1.5B` (port 8000) or "
                "`llama-server -m model.gguf` (port 8080), or correct the address",
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _no_api(self._where, str(error) or type(error).__name__) from None
        if status != 200:
            raise self._refusal(status, raw, headers)
        try:
            return api.served_models(raw), headers.get("Server")
        except api.BadAnswer as answer:
            raise _no_api(self._where, f"GET /v1/models says: {answer}") from None

    async def _get_models(self, patience_s: float) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of GET /v1/models, asked again while the server is loading."""
        import aiohttp

        assert self._session is not None
        for tries in range(1, self.retries + 2):
            async with self._session.get(
                f"{self.base_url}/v1/models",
                timeout=aiohttp.ClientTimeout(total=patience_s),
                allow_redirects=False,
            ) as reply:
                status, raw, headers = reply.status, await reply.read(), reply.headers
            if not _is_transient(status) or tries > self.retries:
                break
            asked_s = parse_retry_after(headers.get("Retry-After"))
            await asyncio.sleep(self.backoff.delay_s(tries, asked_s))
        return status, raw, headers

    def _refusal(self, status: int, raw: bytes, headers: Mapping[str, str]) -> BackendError:
        """Why GET /v1/models did not end well, and what to do about it."""
        said = f"HTTP {status}: {api.server_message(raw)}"
        if status in (401, 403):
            problem = "refuses this API key" if self._api_key else "wants an API key"
            return BackendError(
                f"{self._where} {problem}: {said}", hint="set OPENAI_API_KEY, or api_key"
            )
        if 300 <= status < 400:
            target = headers.get("Location", "another address").removesuffix("/v1/models")
            return BackendError(f"{self._where} redirects", hint=f"base_url: {target}")
        if _is_transient(status):
            return BackendError(
                f"{self._where} is not ready: {said}",
                hint="look at the server's log; when it has loaded, run this again",
            )
        return _no_api(self._where, said)

    @property
    def _where(self) -> str:
        """The server's address as it may be shown: without user and password."""
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    # ----------------------------------------------------------------------- draw

    async def draw(self, request: Request) -> Completion | Failure:
        """One sample. A request that fails for good is recorded, and the run goes on."""
        if isinstance(request.prompt, InfillPrompt) and (reason := await self.why_not_infill()):
            return Failure(stage="generate", message=reason)
        return await self._draw(request)

    async def _draw(self, request: Request) -> Completion | Failure:
        assert self.model is not None, "draw before open"
        read: Callable[..., Completion] = api.decode
        if isinstance(request.prompt, InfillPrompt) and self._engine == "llamacpp":
            url, read = self._urls["infill"], infilling.decode
            body = infilling.encode(request, always=self._always)
        else:
            mode = "chat" if isinstance(request.prompt, ChatPrompt) else "completion"
            url = self._urls[mode]
            body = api.encode(request, model=self.model, always=self._always, engine=self._engine)
        tries = 1
        while True:
            try:
                raw, duration_s = await self._ask(url, body)
                return read(raw, request, duration_s=duration_s)
            except (_AskFailed, api.BadAnswer) as error:
                asked_s = error.asked_s if isinstance(error, _AskFailed) else None
                if not error.transient or tries > self.retries:
                    after = f" (tried {tries} times)" if tries > 1 else ""
                    message = f"{error}{after}"
                    return Failure(stage="generate", message=message, retryable=error.transient)
                delay_s = self.backoff.delay_s(tries, asked_s)
            await asyncio.sleep(delay_s)
            tries += 1

    async def _ask(self, url: URL, body: bytes) -> tuple[bytes, float]:
        """One try: answer and seconds. Where what a network does becomes `_AskFailed`."""
        import aiohttp

        assert self._session is not None, "draw before open"
        try:
            # Waiting for a free connection is not the server's time, so it comes before the clock.
            async with self._slots:
                started = time.perf_counter()
                async with self._session.post(url, data=body, allow_redirects=False) as reply:
                    raw = await reply.read()
                duration_s = time.perf_counter() - started
            if reply.status == 200:
                return raw, duration_s
        except TimeoutError:
            raise _AskFailed(f"no answer within {self.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            said = api.one_line(str(error))
            raise _AskFailed(f"{type(error).__name__}: {said}" if said else repr(error)) from None
        raise _AskFailed(
            f"HTTP {reply.status}: {api.server_message(raw)}",
            transient=_is_transient(reply.status),
            asked_s=parse_retry_after(reply.headers.get("Retry-After")),
        )

    # ----------------------------------------------------------------------- infilling

    async def why_not_infill(self) -> str:
        """Why this server cannot be asked with prefix and suffix, found out once; empty if it can.

        A server that ignored the suffix would be scored as if the model had seen it.
        """
        if self._infill_probe is None:
            self._infill_probe = asyncio.create_task(self._probe_infilling())
        return await asyncio.shield(self._infill_probe)

    async def _probe_infilling(self) -> str:
        short, long = [await self._draw(request) for request in infilling.suffix_probes()]
        for answer in (short, long):
            if isinstance(answer, Failure):
                if answer.retryable:  # a network's fault says nothing of the server
                    self._infill_probe = None
                return self._no_infilling(answer.message)
        assert isinstance(short, Completion) and isinstance(long, Completion)
        reason = infilling.why_suffix_is_ignored(short, long)
        return self._no_infilling(f"it {reason}") if reason else ""

    def _no_infilling(self, why: str) -> str:
        return f"{self._where} has no infilling: {why}; {infilling.INSTEAD}"

    async def _fim_tokens(self) -> list[str] | None:
        """The FIM tokens of the model, where the server has an endpoint that shows them."""
        assert self.model is not None
        body = infilling.tokenize_body(self._engine, self.model)
        if body is None:
            return None
        try:
            raw, _ = await self._ask(self._urls["tokenize"], json.dumps(body).encode())
        except _AskFailed:
            return None  # a proxy may let only /v1 through
        return infilling.tokens_found(raw)


class _AskFailed(Exception):
    """One try that brought no completion: what happened, and whether another one may."""

    def __init__(
        self, message: str, *, transient: bool = True, asked_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.transient = transient
        self.asked_s = asked_s


def _is_transient(status: int) -> bool:
    """Whether the same request may well succeed a little later."""
    return status in (408, 425, 429) or (status >= 500 and status != 501)  # not implemented


def _no_api(where: str, why: str) -> BackendError:
    """The error for a server that is there but speaks something else."""
    return BackendError(
        f"{where} does not speak the OpenAI API: {why}",
        hint=f"base_url is the part before /v1; `curl {where}/v1/models` should list models",
    )


def _root_of(base_url: str) -> str:
    """The address before `/v1`, with a scheme. Raises `ConfigError` when it is no http address."""
    url = base_url.strip()
    if "://" not in url:
        url = f"http://{url}"
    root = url.rstrip("/").removesuffix("/v1").rstrip("/")
    try:
        parts = urlsplit(root)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            f"base_url {base_url!r} is no http address", hint="base_url: http://localhost:8000"
        )
    return root


def _is_loopback(root: str) -> bool:
    """Whether the server runs on this machine, and so on the cores that grade."""
    host = urlsplit(root).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
