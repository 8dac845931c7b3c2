"""Streams a run: samples are graded and stored while others are still being drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from trueval.experiment.plan import Plan
from trueval.experiment.sharing import Share
from trueval.experiment.store import RunStore
from trueval.protocols import Backend, Grader
from trueval.types import Completion, Failure, Grade, Problem, Program, Reference, Request, Sample

BACKLOG = 1024
"""Completions that may wait for grading before generation waits for them."""


@dataclass(slots=True)
class Progress:
    """How far a run is. One object, changed in place."""

    total: int
    done: int = 0
    passed: int = 0
    infra: int = 0
    drawn: int = 0
    """Completions of this sitting; `done` counts resumed samples too."""
    tokens: int = 0
    backlog: int = 0
    """Completions that wait for their verdict."""
    retrying: int = 0
    """Timeouts still to be graded alone."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    request: Request
    completion: Completion | Failure


class Runner:
    """One run's stages, joined: draw, post-process, grade, store."""

    def __init__(
        self,
        plan: Plan,
        *,
        backend: Backend,
        grader: Grader,
        store: RunStore,
        listen: Callable[[Progress], None] = lambda _progress: None,
        share: Share | None = None,
    ) -> None:
        """`share`: with runs beside it; None for a run on its own."""
        self.plan = plan
        self.backend = backend
        self.grader = grader
        self.store = store
        self.listen = listen
        self.share = share or Share()
        self.progress = Progress(total=plan.total)
        self._problems: dict[str, Problem] = {p.problem_id: p for p in plan.task.problems}
        self._timeouts: list[Sample] = []
        self._drawn: asyncio.Queue[_Drawn | None] = asyncio.Queue(BACKLOG)

    async def run(self) -> None:
        """Draw and grade every sample that the store does not have yet.

        Raises `StorageError` when a sample cannot be written; what was written stays.
        """
        self._resume()
        requests = (r for r in self.plan.requests() if not self.store.has(r.key))
        graders = max(1, self.grader.concurrency)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(graders):
                    group.create_task(self._grade_drawn())
                async with asyncio.TaskGroup() as drawers:
                    for _ in range(max(1, self.backend.concurrency)):
                        drawers.create_task(self._draw(requests))
                for _ in range(graders):
                    await self._drawn.put(None)
        except BaseExceptionGroup as errors:
            raise first_of(errors) from None
        await self._retry_timeouts()
        self.store.finish(request.key for request in self.plan.requests())

    def _resume(self) -> None:
        for sample in self.store.samples():
            if sample.infra is None:
                self._count(sample)

    async def _draw(self, requests: Iterator[Request]) -> None:
        # One iterator for all drawers: whoever is free takes the next.
        for request in requests:
            completion = await self.backend.draw(request)
            self.progress.drawn += 1
            if isinstance(completion, Completion):
                self.progress.tokens += completion.completion_tokens
            self.progress.backlog += 1
            self.listen(self.progress)
            await self._drawn.put(_Drawn(request, completion))

    async def _grade_drawn(self) -> None:
        while (drawn := await self._drawn.get()) is not None:
            sample = await self._sample(drawn.request, drawn.completion)
            self.progress.backlog -= 1
            self.store.append(sample)
            self._count(sample)
            self.listen(self.progress)

    async def _sample(self, request: Request, completion: Completion | Failure) -> Sample:
        if isinstance(completion, Failure):
            return Sample(request=request, completion=completion)
        problem = self._problems[request.problem_id]
        try:
            cut = completion.finish_reason == "length"
            program, repaired = self.plan.pipeline(completion.text, problem, cut=cut)
        except Exception as error:  # a post-processor's bug must not cost the other samples
            failure = Failure(stage="postprocess", message=f"{type(error).__name__}: {error}")
            return Sample(request=request, completion=completion, grade=failure)
        reference = self.plan.task.references[request.problem_id]
        async with self.share.cores.beside():
            return Sample(
                request=request,
                completion=completion,
                program=program,
                grade=await self.grader.grade(program, reference),
                repaired=repaired,
                repaired_grade=await self.grader.grade(repaired, reference) if repaired else None,
            )

    async def _retry_timeouts(self) -> None:
        """Grade what timed out once more with nothing beside it: load must not decide a verdict."""
        if not self._timeouts:
            return
        async with self.share.alone():
            await self._grade_alone()

    async def _grade_alone(self) -> None:
        while self._timeouts:
            self.progress.retrying = len(self._timeouts)
            self.listen(self.progress)
            sample = self._timeouts.pop()
            again = await self._alone(sample)
            self.store.append(again)
            self.progress.passed += _passed(again) - _passed(sample)
        self.progress.retrying = 0

    async def _alone(self, sample: Sample) -> Sample:
        reference = self.plan.task.references[sample.request.problem_id]
        return replace(
            sample,
            grade=await self._once_more(sample.program, sample.grade, reference),
            repaired_grade=await self._once_more(sample.repaired, sample.repaired_grade, reference),
        )

    async def _once_more(
        self, program: Program | None, grade: Grade | Failure | None, reference: Reference
    ) -> Grade | Failure | None:
        if program is None or not _owes_retry(grade):
            return grade
        again = await self.grader.grade(program, reference, alone=True)
        return replace(again, alone=True) if isinstance(again, Grade) else again

    def _count(self, sample: Sample) -> None:
        self.progress.done += 1
        self.progress.infra += sample.infra is not None
        self.progress.passed += _passed(sample)
        if _owes_retry(sample.grade) or _owes_retry(sample.repaired_grade):
            self._timeouts.append(sample)


def _owes_retry(grade: Grade | Failure | None) -> bool:
    return isinstance(grade, Grade) and grade.verdict == "timeout" and not grade.alone


def _passed(sample: Sample) -> bool:
    return isinstance(sample.grade, Grade) and sample.grade.passed


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a group of tasks; the others are its consequences."""
    first = errors.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
