"""The model that runs of a file share: loaded once, for as long as they need it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from trueval.config import RunConfig
from trueval.errors import TruevalError
from trueval.experiment.execute import Screen, on_demand
from trueval.experiment.lanes import engine_key
from trueval.experiment.on_demand import OnDemand


class Engine:
    """The one backend of a lane that is open. Runs may use it side by side."""

    def __init__(self) -> None:
        self._key = ""
        self._backend: OnDemand | None = None
        self._model: Mapping[str, Any] = {}
        self._users = 0
        self._failed = False
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def use(
        self, config: RunConfig, screen: Screen
    ) -> AsyncIterator[tuple[OnDemand, Mapping[str, Any]]]:
        """An open backend for a config, and what it says of its model."""
        async with self._opening:
            backend = await self._opened(config, screen)
        self._users += 1
        try:
            yield backend, self._model
        except TruevalError:
            self.suspect()
            raise
        finally:
            self._users -= 1

    def suspect(self) -> None:
        """It may do better when it is started anew, once nobody uses it."""
        self._failed = True

    async def close(self) -> None:
        """End it. Safe to call twice."""
        backend, self._backend = self._backend, None
        if backend is not None:
            await backend.close()

    async def _opened(self, config: RunConfig, screen: Screen) -> OnDemand:
        key = engine_key(config)
        if not self._users and (self._failed or key != self._key):
            await self.close()
        if self._backend is None:
            # Never told the mode: runs that share the model may ask it in different ones.
            self._backend = on_demand(config.model_copy(update={"mode": "auto"}), screen)
            self._key, self._failed = key, False
            try:
                self._model = await self._backend.open()
            except BaseException:
                await self.close()
                raise
        return self._backend
