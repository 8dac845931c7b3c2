"""Verdicts over HTTP: `trueval serve-grader`, for trainers and other machines.

A program that is graded is in the sandbox; what is guarded here is who may send one, and how much
is accepted at a time. Nothing is accepted that would have to be dropped later.
"""

from __future__ import annotations

import asyncio
import hmac
import platform
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trueval import __version__
from trueval.errors import ConfigError, TruevalError, did_you_mean
from trueval.experiment.http import (
    MAX_BODY_BYTES,
    NDJSON,
    RefusedError,
    error_answer,
    host_of,
    is_gone,
    is_loopback,
    json_answer,
    json_body,
    streamed,
)
from trueval.experiment.submission import (
    SHAPE,
    LoadedTask,
    Submission,
    UnknownProblemError,
    load_task,
    verdict_json,
)
from trueval.protocols import Grader
from trueval.types import Failure, Grade

if TYPE_CHECKING:
    from aiohttp import web

STOP_TIMEOUT_S = 60.0
JOBS_A_WORKER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Who may ask, and how much at a time."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0: any free one."""
    tasks: tuple[str, ...] = ("humaneval",)
    """The first is meant where a request names none."""
    token: str = ""
    max_queue: int = 4096
    """Samples accepted and not yet answered, over all requests."""

    def __post_init__(self) -> None:
        if not self.token and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines, and no token is set",
                hint="set TRUEVAL_TOKEN (or --token) to a secret, or leave out --host",
            )
        if not self.token.isascii() or self.token != self.token.strip():
            raise ConfigError("a token is ASCII text without blanks around it")


_Answer = asyncio.Future[Grade | Failure | None]
"""A verdict to come; None when nobody wants it any more."""


class GradingService:
    """Answers requests with one grader. `start` it, and `stop` it when no more are wanted."""

    def __init__(self, grader: Grader, settings: ServiceSettings) -> None:
        self.settings = settings
        self.pending = 0
        """Samples that were accepted and have no answer yet."""
        self.graded = 0
        self._grader = grader
        self._tasks = {name: load_task(name) for name in settings.tasks}
        self._facts: dict[str, Any] = {}
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Open the grader, listen, and say at which URL."""
        from aiohttp import web

        host, port = self.settings.host, self.settings.port
        self._facts = dict(await self._grader.open())
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=STOP_TIMEOUT_S
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.stop()
            raise ConfigError(
                f"cannot listen at {host}, port {port}: {error.strerror or error}",
                hint="--port 0 takes any free port",
            ) from error
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Refuse what is new, answer what was accepted, then end every process."""
        self._closing = True
        with suppress(TimeoutError):  # connections stay open until then
            await asyncio.wait_for(self._idle.wait(), STOP_TIMEOUT_S)
        if self._runner is not None:
            await self._runner.cleanup()
        await self._grader.close()

    @property
    def isolation(self) -> str:
        """The level at which programs are kept apart here."""
        return str(self._facts.get("isolation", "unknown"))

    # ----------------------------------------------------------------------- the three addresses

    async def health(self, _request: web.Request) -> web.Response:
        """Versions, isolation and load."""
        return json_answer(
            {
                "status": "stopping" if self._closing else "ok",
                "isolation": self.isolation,
                "tasks": {name: task.data.digest for name, task in self._tasks.items()},
                "versions": {"trueval": __version__, "python": platform.python_version()},
                "workers": self._grader.concurrency,
                "queue": self.pending,
                "max_queue": self.settings.max_queue,
                "graded": self.graded,
            }
        )

    async def grade(self, request: web.Request) -> web.Response:
        """The verdict on one sample."""
        body = await json_body(request)
        submission = self._task(body).submission(body, at="the sample")
        with self._accepted(request, [submission]) as work:
            found = [line async for line in work.answers()]
            return json_answer(found[0] if found else {})  # nothing: the client left

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """The verdicts on many samples in order: at the end, or line by line as they come."""
        body = await json_body(request)
        task, samples = self._task(body), body.get("samples")
        if not isinstance(samples, list):
            raise RefusedError(400, "no list `samples`", f"each {SHAPE.removeprefix('a ')}")
        submissions = [
            task.submission(sample, at=f"sample {index}") for index, sample in enumerate(samples)
        ]
        with self._accepted(request, submissions) as work:
            if NDJSON in request.headers.get("Accept", ""):
                async with aclosing(work.answers()) as lines:
                    return await streamed(request, lines)
            found = [line async for line in work.answers()]
            return json_answer({"task": task.data.name, "results": found})

    # ----------------------------------------------------------------------- what is accepted

    def _task(self, body: dict[str, Any]) -> LoadedTask:
        name = body.get("task", self.settings.tasks[0])
        if not isinstance(name, str) or name not in self._tasks:
            hint = did_you_mean(str(name)[:100], self._tasks)
            raise RefusedError(404, f"the task {str(name)[:100]!r} is not served here", hint)
        return self._tasks[name]

    @contextmanager
    def _accepted(self, request: web.Request, samples: Sequence[Submission]) -> Iterator[_Work]:
        """A place in the queue for each sample, or for none of them."""
        limit = self.settings.max_queue
        if self._closing:
            raise RefusedError(503, "the server is stopping")
        if len(samples) > limit:
            hint = f"send at most {limit} at a time"
            raise RefusedError(413, f"{len(samples)} samples are more than ever fit", hint)
        if self.pending + len(samples) > limit:
            hint = f"{self.pending} of {limit} places are taken; try again"
            raise RefusedError(429, "the queue is full", hint)
        work = _Work(self, self._grader, samples, lambda: is_gone(request))
        self._count(len(samples))
        try:
            yield work
        finally:
            self._count(work.done - len(samples))

    def finished_one(self) -> None:
        """Give one place in the queue back."""
        self.graded += 1
        self._count(-1)

    def _count(self, more: int) -> None:
        self.pending += more
        if self.pending:
            self._idle.clear()
        else:
            self._idle.set()

    def _application(self) -> web.Application:
        from aiohttp import web

        @web.middleware
        async def guard(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            try:
                self._let_in(request)
                return await handler(request)
            except web.HTTPException as error:
                hint = f"at most {MAX_BODY_BYTES} bytes" if error.status == 413 else ""
                return error_answer(RefusedError(error.status, error.reason.lower(), hint))
            except UnknownProblemError as error:
                return error_answer(RefusedError(404, error.message, error.hint))
            except TruevalError as error:
                return error_answer(RefusedError(400, error.message, error.hint))
            except RefusedError as error:
                return error_answer(error)

        app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/health", self.health)
        app.router.add_post("/grade", self.grade)
        app.router.add_post("/grade/batch", self.batch)
        return app

    def _let_in(self, request: web.Request) -> None:
        """Refuse who may not ask."""
        # A web page open on this machine must not grade here: it names itself as the origin, and,
        # where it rebinds its own name to this address, it asks for that name.
        if "Origin" in request.headers:
            raise RefusedError(403, "requests from web pages are refused")
        if is_loopback(self.settings.host) and not is_loopback(host_of(request)):
            raise RefusedError(403, "the Host header names another machine", "use 127.0.0.1")
        if self.settings.token:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {self.settings.token}".encode()):
                raise RefusedError(
                    401, "the token is missing or wrong", "Authorization: Bearer ..."
                )


class _Work:
    """The samples of one request, on their way through the grader."""

    def __init__(
        self,
        service: GradingService,
        grader: Grader,
        samples: Sequence[Submission],
        gone: Callable[[], bool],
    ) -> None:
        self.done = 0
        self._service, self._grader, self._samples, self._gone = service, grader, samples, gone

    async def answers(self) -> AsyncGenerator[dict[str, Any], None]:
        """The verdicts in order, as soon as they are known. It ends early when the client left."""
        loop = asyncio.get_running_loop()
        answers: list[_Answer] = [loop.create_future() for _ in self._samples]
        rest = iter(zip(self._samples, answers, strict=True))
        # Few at a time, so that a large request leaves room for a small one.
        count = min(len(answers), JOBS_A_WORKER * self._grader.concurrency)
        workers = [asyncio.create_task(self._run(rest)) for _ in range(count)]
        try:
            for index, (sample, answer) in enumerate(zip(self._samples, answers, strict=True)):
                grade = await answer
                if grade is None:
                    return
                yield {"index": index, **verdict_json(sample.reference.problem_id, grade)}
        finally:
            # What runs is let finish: ending it would cost the other requests their worker.
            self._gone = lambda: True
            await asyncio.gather(*workers, return_exceptions=True)

    async def _run(self, rest: Iterator[tuple[Submission, _Answer]]) -> None:
        for sample, answer in rest:
            grade = None
            try:
                if not self._gone():
                    grade = await self._grader.grade(sample.program, sample.reference)
                    self.done += 1
                    self._service.finished_one()
            except Exception as error:
                answer.set_exception(error)
                raise
            if not answer.done():  # cancelled, when the server could wait no longer
                answer.set_result(grade)
