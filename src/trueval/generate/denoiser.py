"""One copy of a diffusion model on one device, which fills gaps on a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueval.errors import TruevalError
from trueval.generate.common import hand_over
from trueval.generate.gaps import check_text, completion_of, found_for, gap_of, shown
from trueval.types import Completion, Failure, Request

if TYPE_CHECKING:
    from trueval.diffusion.engine import Engine
    from trueval.diffusion.gaps import Filling, Gap
    from trueval.diffusion.lengths import Found, Search
    from trueval.diffusion.model import Model

Watch = Callable[[str, int, int], None]
"""Is told a gap's text on the way, how many steps are done, and of how many."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One request on its way through an engine."""

    request: Request
    future: asyncio.Future[Completion | Failure]
    loop: asyncio.AbstractEventLoop
    checked: bool = False
    """Whether `exact` fills it too, where the mode is an approximation."""
    gap: Gap | None = None
    found: Found | None = None
    started: float = field(default_factory=time.perf_counter)

    def settle(self, result: Completion | Failure) -> None:
        """Hand the result to whoever waits for it, if anyone still does."""
        hand_over(result, self.future, self.loop)


class Denoiser:
    """Fills the gaps of up to `rows` requests at once, from `start` to `stop`.

    What a request is answered with depends on the request alone, so that it does not matter which
    of several denoisers it is given to.
    """

    def __init__(
        self,
        net: Model,
        folder: Path,
        *,
        engine: Callable[[Model], Engine],
        search: Search,
        rows: int,
        trace: bool = False,
        watch: Watch | None = None,
    ) -> None:
        """`engine` makes one, anew after an error. `folder`: the checkpoint's."""
        self.net, self.search = net, search
        self.waiting = 0
        """Requests that it was given and has not answered; for the event loop's thread alone."""
        self._folder, self._make, self._rows = folder, engine, rows
        self._trace, self._watch = trace, watch
        self._engine = engine(net)
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._flying: dict[int, Job] = {}
        self._closing = False
        self._answers = False
        self._gate = threading.Lock()
        """Held while `_answers` is looked at and acted on: nothing is queued that nobody takes."""
        self._thread = threading.Thread(target=self._serve, name="trueval-diffusion", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._answers = True
        self._thread.start()

    async def answer(self, request: Request, *, checked: bool) -> Completion | Failure:
        """One sample of `request`."""
        loop = asyncio.get_running_loop()
        job = Job(request=request, future=loop.create_future(), loop=loop, checked=checked)
        with self._gate:
            if not self._answers:
                return Failure(stage="generate", message="the engine is not open")
            self._queue.put(job)
        self.waiting += 1
        try:
            return await job.future
        finally:
            self.waiting -= 1

    def stop(self) -> None:
        """End the rows in flight, and wait until the thread has ended."""
        self._closing = True
        self._queue.put(None)
        self._thread.join()

    # ----------------------------------------------------------------------- the thread

    def _serve(self) -> None:
        import torch

        try:
            with torch.inference_mode():
                while not self._closing:
                    self._round()
        finally:  # whatever the thread ends of, nobody waits for it in vain
            self._end()

    def _end(self) -> None:
        with self._gate:
            self._answers = False
        while not self._queue.empty():
            if job := self._queue.get():
                self._flying[id(job)] = job
        self._fail_all(Failure(stage="generate", message="the engine was closed", retryable=True))

    def _round(self) -> None:
        try:
            self._take()
            self._engine.step()
            self._show()
        except Exception as error:  # of all rows at once: out of memory, most often
            self._fail_all(failure_of(error, rows=self._rows))
            self._engine = self._make(self.net)

    def _show(self) -> None:
        if self._watch is None:
            return
        for canvas in self._engine.canvases():
            if not any(canvas.gap is job.gap for job in self._flying.values()):
                continue  # the exact twin of one
            done = sum(block.steps for block in canvas.blocks[: canvas.block]) + canvas.index
            text = shown(self.net, canvas.tokens.tolist())
            self._watch(text, done, sum(block.steps for block in canvas.blocks))

    def _take(self) -> None:
        """Hand the requests that wait to the engine; sleeps while there is nothing to do."""
        while len(self._flying) < self._rows:
            try:
                job = self._queue.get(block=not self._flying)
            except queue.Empty:
                return
            if job is None:
                return
            if not job.future.done():
                self._start(job)

    def _start(self, job: Job) -> None:
        self._flying[id(job)] = job
        with self._owed(job):
            check_text(job.request.prompt)
            found = job.found = found_for(self.search, job.request)
            gap = job.gap = gap_of(
                self.net, self._folder, job.request, found=found, trace=self._trace
            )
            self._submit(job, gap, lambda filling: self._filled(job, filling))

    def _submit(self, job: Job, gap: Gap, done: Callable[[Filling], None]) -> None:
        def failed(error: TruevalError) -> None:
            self._settle(job, failure_of(error, rows=self._rows))

        self._engine.submit(gap, done, failed)

    def _filled(self, job: Job, filling: Filling) -> None:
        """A row is done: settle it, after `exact` has filled it too where that is checked."""
        from trueval.diffusion.agreement import exact_twin

        with self._owed(job):
            assert job.gap is not None
            settings = job.gap.settings
            if settings.mode == "exact" or not job.checked:
                self._finish(job, filling, {})
                return
            twin = replace(job.gap, settings=exact_twin(settings), trace=False)
            self._submit(
                job,
                twin,
                lambda exact: self._finish(job, filling, {"agrees": exact.told == filling.told}),
            )

    def _finish(self, job: Job, filling: Filling, found: Mapping[str, Any]) -> None:
        with self._owed(job):
            assert job.gap is not None
            seconds = time.perf_counter() - job.started
            done = completion_of(
                self.net, job.request, job.gap, filling, found=job.found, duration_s=seconds
            )
            self._settle(job, replace(done, denoising={**done.denoising, **found}))

    # ----------------------------------------------------------------------- the answers

    @contextmanager
    def _owed(self, job: Job) -> Iterator[None]:
        """What goes wrong within is this request's failure, and the other ones go on."""
        try:
            yield
        except Exception as error:
            self._settle(job, failure_of(error, rows=self._rows))

    def _settle(self, job: Job, result: Completion | Failure) -> None:
        self._flying.pop(id(job), None)
        job.settle(result)

    def _fail_all(self, failure: Failure) -> None:
        for job in list(self._flying.values()):
            self._settle(job, failure)


def failure_of(error: Exception, *, rows: int) -> Failure:
    """What a request is answered with where an error kept it from a completion.

    `rows`: how many were filled at once. Where memory ran out the message says what needs less.
    """
    if isinstance(error, TruevalError):
        return Failure(stage="generate", message=str(error))
    said = next(iter(str(error).splitlines()), "")
    if not _is_of_memory(error):
        return Failure(stage="generate", message=f"diffusion: {type(error).__name__}: {said}")
    fewer = f"--set options.concurrency={rows // 2}, or " if rows > 1 else ""
    hint = f"{fewer}--set options.memo_mb=0, which keeps nothing of what the model said"
    message = f"diffusion ran out of memory with {rows} rows at once: {said}\n  {hint}"
    return Failure(stage="generate", message=message, retryable=True)


def _is_of_memory(error: Exception) -> bool:
    """torch says it in words alone where it is the processor's memory."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)
