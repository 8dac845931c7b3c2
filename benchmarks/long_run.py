"""A long run of one open grader: whether it goes on at the same rate, in the same memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import psutil

from trueval.grade.functional import FunctionalGrader
from trueval.types import Grade, Program, Reference

TENTHS = 10
JOBS_A_WORKER = 2
"""Samples that wait at a time: a grader needs the next one to be there, and no more."""

Job = tuple[Program, Reference]


async def long_run(grader: FunctionalGrader, jobs: Sequence[Job], count: int) -> dict[str, Any]:
    """Grade `count` samples, all of which must pass: the rate in each tenth, memory before, after.

    No verdict is kept, so that what grows is the grader.
    """
    await _graded(grader, iter(jobs))  # first uses of everything
    before = resident_mb()
    rates = []
    stream = islice(cycle(jobs), count)
    for tenth in range(TENTHS):
        share = count * (tenth + 1) // TENTHS - count * tenth // TENTHS
        started = time.perf_counter()
        await _graded(grader, islice(stream, share))
        rates.append(round(share / (time.perf_counter() - started), 1))
        print(f"  {count * (tenth + 1) // TENTHS:>8} samples, {rates[-1]} a second", flush=True)
    return {
        "samples": count,
        "first_tenth_samples_per_s": rates[0],
        "last_tenth_samples_per_s": rates[-1],
        "tenths_samples_per_s": rates,
        "memory_before": before,
        "memory_after": resident_mb(),
    }


async def _graded(grader: FunctionalGrader, jobs: Iterator[Job]) -> None:
    async def take() -> None:
        for program, reference in jobs:
            grade = await grader.grade(program, reference)
            if not (isinstance(grade, Grade) and grade.passed):
                raise SystemExit(f"{reference.problem_id}: {grade}")

    await asyncio.gather(*(take() for _ in range(JOBS_A_WORKER * grader.concurrency)))


def resident_mb() -> dict[str, float]:
    """Memory of this process, and of all below it: checkers, zygotes and their candidates."""
    main = psutil.Process()
    below = 0
    for process in main.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            below += process.memory_info().rss
    return {"main_mb": _mb(main.memory_info().rss), "workers_mb": _mb(below)}


def _mb(size: int) -> float:
    return round(size / 1024 / 1024, 1)


def described(figures: dict[str, Any]) -> str:
    """One line for people."""
    before, after = figures["memory_before"], figures["memory_after"]
    first, last = figures["first_tenth_samples_per_s"], figures["last_tenth_samples_per_s"]
    return (
        f"{figures['samples']} samples: {first} a second in the first tenth, {last} in the last;"
        f" main process {before['main_mb']} -> {after['main_mb']} MB,"
        f" workers {before['workers_mb']} -> {after['workers_mb']} MB"
    )
