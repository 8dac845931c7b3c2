"""Loads a model when the first sample has to be drawn, and not for a run that needs none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from trueval.errors import TruevalError
from trueval.protocols import Backend, Describes
from trueval.types import Completion, Failure, Request


class OnDemand:
    """A backend that says what its model is at once, and loads it at the first draw.

    That takes a backend that `Describes` its model; any other is opened when it is asked.
    """

    def __init__(self, inner: Backend, *, listen: Callable[[], None] = lambda: None) -> None:
        """`listen` is called as the model begins to load."""
        self.inner = inner
        self.name = inner.name
        self.concurrency = inner.concurrency
        self.shares_cores = inner.shares_cores
        self.loading = False
        self.load_s = 0.0
        """Seconds that loading took so far, none of which went into samples."""
        self._slots = asyncio.Semaphore(inner.concurrency)
        self._listen = listen
        self._lock = asyncio.Lock()
        self._about: Mapping[str, Any] | None = None
        """What the model is, once it is loaded."""
        self._error: TruevalError | None = None

    async def open(self) -> Mapping[str, Any]:
        """What the inner backend says of its model, without loading it where it can."""
        if isinstance(self.inner, Describes):
            about = await self.inner.describe()
            self._resized()
            return about
        return await self._loaded()

    async def draw(self, request: Request) -> Completion | Failure:
        """One sample. Raises `BackendError` when the model turns out not to load.

        However many runs draw from it, no more than `concurrency` requests are on their way.
        """
        if self._about is None:
            await self._loaded()
        async with self._slots:
            return await self.inner.draw(request)

    async def close(self) -> None:
        """Close the inner backend. Safe to call twice; it may be opened again."""
        self._about = self._error = None
        await self.inner.close()

    async def _loaded(self) -> Mapping[str, Any]:
        async with self._lock:
            # Whoever waited for a load that failed has failed with it.
            if self._error is not None:
                raise self._error
            if self._about is None:
                self._about = await self._load()
                self._resized()
            return self._about

    def _resized(self) -> None:
        # Only by now does a backend know which processors it has got.
        if self.concurrency != self.inner.concurrency:
            self.concurrency = self.inner.concurrency
            self._slots = asyncio.Semaphore(self.concurrency)
        self.shares_cores = self.inner.shares_cores

    async def _load(self) -> Mapping[str, Any]:
        self.loading, started = True, time.monotonic()
        self._listen()
        try:
            return await self.inner.open()
        except TruevalError as error:
            self._error = error
            raise
        finally:
            self.loading = False
            self.load_s += time.monotonic() - started
