from __future__ import annotations

import asyncio

import pytest

from trueval.grade.sandbox.queueing import LongestFirst


async def test_the_longest_job_that_waits_comes_first_and_equals_in_order() -> None:
    workers = LongestFirst(["w"])
    worker = await workers.get(0)
    came: list[str] = []

    async def job(name: str, expected_s: float) -> None:
        got = await workers.get(expected_s)
        came.append(name)
        workers.put(got)

    jobs = [
        asyncio.create_task(job(name, expected_s))
        for name, expected_s in [("a", 1), ("b", 3), ("c", 1), ("d", 2)]
    ]
    await asyncio.sleep(0)
    workers.put(worker)
    await asyncio.gather(*jobs)
    assert came == ["b", "d", "a", "c"]


async def test_a_worker_is_not_lost_to_a_job_that_was_cancelled() -> None:
    workers = LongestFirst(["w"])
    worker = await workers.get(0)
    early, late = (asyncio.create_task(workers.get(0)) for _ in range(2))
    await asyncio.sleep(0)
    early.cancel()  # while it waits
    workers.put(worker)
    late.cancel()  # when it was handed the worker already
    for task in (early, late):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await asyncio.wait_for(workers.get(0), 1) == "w"
