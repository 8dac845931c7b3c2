"""Who gets the next free worker: the program that is likely to take longest."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class LongestFirst(Generic[T]):
    """Free workers, handed to those who wait, the longest job first.

    A long job that starts last keeps one worker busy while all others are idle; started first, it
    runs beside the short ones (Graham's longest-processing-time rule).
    """

    def __init__(self, free: Iterable[T] = ()) -> None:
        self._free = deque(free)
        self._waiting: list[tuple[float, int, asyncio.Future[T]]] = []
        self._order = itertools.count()

    async def get(self, expected_s: float) -> T:
        """A worker for a job that should take so long, once one is free."""
        if self._free:
            return self._free.popleft()
        turn: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-expected_s, next(self._order), turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.put(turn.result())  # it was handed over, and nobody is there to take it
            raise

    def put(self, worker: T) -> None:
        """Give a worker back."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(worker)
                return
        self._free.append(worker)
