"""What runs side by side share: graders, and this machine's cores. A run on its own has its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from trueval.config import RunConfig
from trueval.experiment.benchmark import load_benchmark
from trueval.experiment.plan import make_grader
from trueval.protocols import Grader
from trueval.types import TaskData, digest_of


class Cores:
    """This machine's cores: models that compute here take turns, and so does grading alone."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        """Held by the run whose model may compute here."""
        self._door = asyncio.Lock()
        self._grading = 0
        self._quiet = asyncio.Event()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Grade while others do."""
        async with self._door:
            self._grading += 1
        try:
            yield
        finally:
            self._grading -= 1
            if not self._grading:
                self._quiet.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Grade while no other run does: who comes waits at the door."""
        async with self._door:
            while self._grading:
                self._quiet.clear()
                await self._quiet.wait()
            yield


class Graders:
    """Open graders that runs share. Their workers are no more than one grader would have."""

    def __init__(self, *, kinds: int, background: bool) -> None:
        """`kinds`: how many may be in use at a time. `background`: some model computes here."""
        self._kinds = kinds
        self._background = background
        self._open: dict[str, _Shared] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def use(
        self, config: RunConfig, task: TaskData
    ) -> AsyncIterator[tuple[Grader, Mapping[str, Any]]]:
        """The grader of a config and what it says of itself; the first to ask starts it."""
        async with self._opening:
            shared = await self._opened(config, task)
            shared.users += 1
        try:
            yield shared.grader, shared.isolation
        finally:
            shared.users -= 1

    async def close(self) -> None:
        """End every worker. Safe to call twice."""
        while self._open:
            _, shared = self._open.popitem()
            await shared.grader.close()

    async def _opened(self, config: RunConfig, task: TaskData) -> _Shared:
        key = kind_of_grader(config)
        if key not in self._open:
            await self._make_room()
            workers = config.grading.workers or os.cpu_count() or 1
            part = {"workers": max(1, workers // self._kinds)}
            given = config.model_copy(update={"grading": config.grading.model_copy(update=part)})
            grader = make_grader(given, task, background=self._background)
            self._open[key] = _Shared(grader, await grader.open())
        return self._open[key]

    async def _make_room(self) -> None:
        idle = [key for key, shared in self._open.items() if not shared.users]
        while idle and len(self._open) >= self._kinds:
            await self._open.pop(idle.pop(0)).grader.close()


@dataclass(slots=True)
class _Shared:
    grader: Grader
    isolation: Mapping[str, Any]
    users: int = 0


def kind_of_grader(config: RunConfig) -> str:
    """What two runs must have in common for one grader to serve both."""
    task = load_benchmark(config.task, config.task_options)
    return digest_of([config.grading.model_dump(mode="json"), task.kind, task.metrics])


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One run's part in what is shared."""

    cores: Cores = field(default_factory=Cores)
    graders: Graders | None = None
    """None: the run starts a grader of its own, and ends it."""
    here: bool = True
    """Its model computes on this machine, and so it has the turn already."""

    @asynccontextmanager
    async def grader(
        self, config: RunConfig, task: TaskData, *, background: bool
    ) -> AsyncIterator[tuple[Grader, Mapping[str, Any]]]:
        """An open grader and what it says of itself."""
        if self.graders is not None:
            async with self.graders.use(config, task) as shared:
                yield shared
            return
        grader = make_grader(config, task, background=background)
        try:
            yield grader, await grader.open()
        finally:
            await grader.close()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Run: a model that computes on this machine does so when no other does."""
        async with AsyncExitStack() as stack:
            if self.here:
                await stack.enter_async_context(self.cores.turn)
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Grade with nothing beside it: no other program, and no model that computes here."""
        async with AsyncExitStack() as stack:
            if not self.here:
                await stack.enter_async_context(self.cores.turn)
            await stack.enter_async_context(self.cores.alone())
            yield
