"""Verdicts on many programs from plain Python: `trueval.grade(programs, task)`.

The grader is asynchronous and has its own processes. A pool runs it on a thread with an event loop
of its own, so that it can be called from anywhere: a script, a notebook whose loop already runs,
several threads of a trainer at once. Pools stay warm between calls.
"""

from __future__ import annotations

import asyncio

# Before ours is registered at the end, so that ours runs first.
import concurrent.futures.thread  # noqa: F401
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Self, TypeVar

from trueval.config import GradingConfig, validate
from trueval.errors import TruevalError
from trueval.experiment.plan import make_grader
from trueval.experiment.submission import Submission, load_task
from trueval.protocols import Grader
from trueval.types import Failure, Grade

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 64
"""Items that cross to the grader's thread at a time: one by one, crossing would cost most."""
CHUNKS_IN_FLIGHT = 4
JOBS_A_WORKER = 2
CLOSE_TIMEOUT_S = 30.0


@dataclass(slots=True)
class _Running:
    """An open grader and the thread that its event loop runs on."""

    grader: Grader
    facts: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    pid: int


class GradingPool:
    """Warm graders for as long as a `with` block lasts, or until `close`.

    It starts at the first use, may be used from several threads, and is started anew in a process
    that was forked from this one.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout_s: float = 3.0,
        memory_mb: int = 1024,
        grading: Literal["split", "official"] = "split",
        isolation: Literal["auto", "full", "filtered", "bare"] = "auto",
    ) -> None:
        """`workers`: programs at a time, one a core for None. `timeout_s` counts CPU time."""
        settings = {
            "workers": workers,
            "timeout_s": timeout_s,
            "memory_mb": memory_mb,
            "grading": grading,
            "isolation": isolation,
        }
        self._config = validate({"grading": settings}, where="options")
        self.settings = self._config.grading
        self._running: _Running | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def facts(self) -> dict[str, Any]:
        """How programs are isolated and limited, as a manifest has it."""
        return self._open().facts

    def grade(self, programs: Iterable[Any], task: str = "humaneval") -> list[Grade | Failure]:
        """The verdicts, in order. A `Failure` says that there is none, and is no wrong answer."""
        return list(self.stream(programs, task))

    def stream(self, programs: Iterable[Any], task: str = "humaneval") -> Iterator[Grade | Failure]:
        """The verdicts, in order, while `programs` is still being read: memory stays bounded.

        Raises `DataError` at an item that is no sample of the task.
        """
        return self.map(_grade, _submissions(programs, task))

    async def agrade(
        self, programs: Iterable[Any], task: str = "humaneval"
    ) -> list[Grade | Failure]:
        """Like `grade`, for callers on an event loop, which goes on while programs run."""
        # Starting takes half a second, in which the caller's loop is not to stand still.
        await asyncio.to_thread(self._open)
        found: list[Grade | Failure] = []
        waiting: deque[asyncio.Future[list[Grade | Failure]]] = deque()
        try:
            for chunk in _chunks(_submissions(programs, task)):
                waiting.append(asyncio.wrap_future(self._submit(_grade, chunk)))
                if len(waiting) == CHUNKS_IN_FLIGHT:
                    found += await waiting[0]
                    waiting.popleft()
            for future in waiting:
                found += await future
        finally:
            for future in waiting:
                future.cancel()
        return found

    def map(self, work: Callable[[Grader, T], Awaitable[R]], items: Iterable[T]) -> Iterator[R]:
        """What `work(grader, item)` gives for each item, in order; it runs on the pool's loop."""
        waiting: deque[Future[list[R]]] = deque()
        try:
            for chunk in _chunks(items):
                waiting.append(self._submit(work, chunk))
                if len(waiting) == CHUNKS_IN_FLIGHT:
                    yield from waiting[0].result()
                    waiting.popleft()
            while waiting:
                yield from waiting[0].result()
                waiting.popleft()
        finally:
            # The caller was interrupted or wants no more: nobody waits for these.
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End every process and the thread. Safe to call twice; a later use starts anew."""
        with _STATE.lock:
            running, self._running = self._running, None
            _STATE.open.discard(self)
        if running is not None and running.pid == os.getpid():
            _stop(running)

    def _submit(self, work: Callable[[Grader, T], Awaitable[R]], chunk: list[T]) -> Future[list[R]]:
        running = self._open()
        return asyncio.run_coroutine_threadsafe(_all(work, running.grader, chunk), running.loop)

    def _open(self) -> _Running:
        with _STATE.lock:
            if self._running is None:
                self._running = _start(make_grader(self._config, background=False))
                _STATE.open.add(self)
            return self._running

    def abandon(self) -> object:
        """Forget what runs, and hand it over: in a forked child it is the parent's."""
        running, self._running = self._running, None
        return running


def grade(
    programs: Iterable[Any],
    task: str = "humaneval",
    *,
    workers: int | None = None,
    timeout_s: float = 3.0,
    memory_mb: int = 1024,
    grading: Literal["split", "official"] = "split",
    isolation: Literal["auto", "full", "filtered", "bare"] = "auto",
) -> list[Grade | Failure]:
    """The verdicts on programs, in order, from warm graders that later calls use again.

    `programs` are `(problem_id, source)` pairs, or mappings with `task_id` and `completion` (put
    after the problem's text) or `solution` (run as it is). A `Failure` in place of a `Grade` says
    that something of ours went wrong: never count it as a wrong answer.
    """
    pool = shared_pool(
        workers=workers,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
        grading=grading,
        isolation=isolation,
    )
    return pool.grade(programs, task)


async def agrade(
    programs: Iterable[Any], task: str = "humaneval", **settings: Any
) -> list[Grade | Failure]:
    """Like `grade`, with the same settings, for callers on an event loop."""
    return await shared_pool(**settings).agrade(programs, task)


def shared_pool(**settings: Any) -> GradingPool:
    """The pool with these settings that every caller in this process shares, until it exits."""
    pool = GradingPool(**settings)
    with _STATE.lock:
        # By what it came to: a default that is spelled out is no other setting.
        return _STATE.shared.setdefault(pool.settings, pool)


def _submissions(programs: Iterable[Any], task: str) -> Iterator[Submission]:
    loaded = load_task(task)
    for index, item in enumerate(programs):
        yield loaded.submission(item, at=f"program {index}")


async def _grade(grader: Grader, one: Submission) -> Grade | Failure:
    return await grader.grade(one.program, one.reference)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


async def _all(
    work: Callable[[Grader, T], Awaitable[R]], grader: Grader, items: list[T]
) -> list[R]:
    """`work` for each item, no more at a time than keeps the grader busy."""
    found: dict[int, R] = {}
    rest = iter(enumerate(items))

    async def worker() -> None:
        for index, item in rest:
            found[index] = await work(grader, item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(items), JOBS_A_WORKER * grader.concurrency)):
                group.create_task(worker())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [found[index] for index in range(len(items))]


# --------------------------------------------------------------------------- threads, exit, fork


class _State:
    """What this process has open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.open: set[GradingPool] = set()
        self.shared: dict[GradingConfig, GradingPool] = {}
        self.abandoned: list[object] = []


_STATE = _State()


def _start(grader: Grader) -> _Running:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="trueval-grading", daemon=True)
    thread.start()
    running = _Running(grader, {}, loop, thread, os.getpid())
    try:
        running.facts = dict(_on(loop, grader.open()))
    except BaseException:
        _stop(running)
        raise
    return running


def _stop(running: _Running) -> None:
    try:
        _on(running.loop, running.grader.close())
        _on(running.loop, running.loop.shutdown_default_executor())
    finally:
        running.loop.call_soon_threadsafe(running.loop.stop)
        running.thread.join(CLOSE_TIMEOUT_S)
        if not running.thread.is_alive():
            running.loop.close()


def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, R]) -> R:
    return asyncio.run_coroutine_threadsafe(work, loop).result(CLOSE_TIMEOUT_S * 2)


def _at_exit() -> None:
    for pool in list(_STATE.open):
        with suppress(TruevalError, RuntimeError, TimeoutError):
            pool.close()


def _after_fork_in_child() -> None:
    """Start from nothing: the workers are the parent's, and the thread was not copied."""
    global _STATE
    before, _STATE = _STATE, _State()
    # Kept, untouched: a loop that is collected here would take its sockets out of the selector,
    # which the kernel shares with the parent.
    _STATE.abandoned = [before, *(pool.abandon() for pool in before.open)]


os.register_at_fork(after_in_child=_after_fork_in_child)
# `atexit` comes too late: by then no thread takes work any more, and ending a worker waits in one.
# What `concurrent.futures` itself uses runs last registered first, and has no public name.
_register: Callable[[Callable[[], None]], object] = vars(threading)["_register_atexit"]
_register(_at_exit)
