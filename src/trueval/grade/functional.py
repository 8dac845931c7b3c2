"""Functional correctness: a program passes when every test of its reference holds.

Trust is split. The tests and the expected values stay in a *checker*; the program runs in a
*candidate*, a fresh process that holds the program and one socket. Each call that a test makes
goes over as arguments and comes back as plain data, which the checker compares. A program
can give wrong answers and nothing else: there is no test to read, no verdict to forge, and
an object that claims to equal everything arrives as one that equals nothing.

What this does not cover. A program may look its problem up by its arguments and answer from
memory: that is contamination, and no sandbox sees it. Where a test depends on the identity of
objects, or on an object of the program's own class, the answer is not data and the program fails
(`unsupported value` in the detail). At isolation `bare` a program can read and write what the user
can, use the network, and kill its zygote; the verdict is no easier to forge, but other samples
can be disturbed. With `grading="official"` tests run beside the program, which can
read and change them: it is for parity with published scores, not for trust.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from trueval.errors import InfraError
from trueval.grade.sandbox.client import Job, Limits, Outcome, WorkerClient
from trueval.grade.sandbox.endings import KILLED, STARVED
from trueval.grade.sandbox.line import WorkerError
from trueval.grade.sandbox.queueing import LongestFirst
from trueval.grade.sandbox.texts import MAX_LINE, one_line
from trueval.types import VERDICTS, FailingCall, Failure, Grade, Program, Reference, Trust

MAX_DETAIL = MAX_LINE
JOBS_A_WORKER = 2
"""One that runs, and one that is there when it is over."""
TRIES = 8
TRIES_KILLED = 3
"""Tries of a program whose process somebody kills, such as a machine that is out of memory."""
MAX_STARTS = 40
"""Tries in all, with those that ended because of the program before it."""
TOO_SLOW = "timeout (checker): comparing its answers takes too long"


class FunctionalGrader:
    """Runs programs against the tests of their references, several at a time."""

    name = "functional"

    def __init__(
        self,
        *,
        timeout_s: float = 3.0,
        memory_mb: int = 1024,
        workers: int | None = None,
        background: bool = False,
        packages: tuple[str, ...] = ("numpy",),
        grading: Literal["split", "official"] = "split",
        isolation: Literal["auto", "full", "filtered", "bare"] = "auto",
    ) -> None:
        """`timeout_s` counts CPU time. `background`: leave the cores to whoever else wants them.

        `packages` may be imported by programs if they are installed; numpy by default, because
        the official harness depends on it, and models use it. Raises `ValueError` for no time.
        """
        if not 0 < timeout_s < float("inf"):
            raise ValueError(f"timeout_s has to be more than 0 seconds, and is {timeout_s}")
        self.concurrency = workers or os.cpu_count() or 1
        self._limits = Limits(
            timeout_s=timeout_s,
            memory_mb=memory_mb,
            background=background,
            level=isolation,
            packages=packages,
        )
        self._grading = grading
        self._clients: list[WorkerClient] = []
        self._free: LongestFirst[WorkerClient] = LongestFirst()
        self._seconds: dict[str, float] = {}
        """Problem -> the longest that a program for it took: what the next may take."""

    async def open(self) -> Mapping[str, Any]:
        """Start the workers. Raises `InfraError` when one cannot be started."""
        if not self._clients:
            self._clients = [
                WorkerClient(replace(self._limits, core=core)) for core in self._cores()
            ]
            try:
                await asyncio.gather(*(client.start() for client in self._clients))
            except WorkerError as error:
                await self.close()
                hint = "only to run code that you trust: --set grading.isolation=bare"
                raise InfraError(one_line(str(error)), hint=hint) from error
            except BaseException:
                await self.close()
                raise
            self._free = LongestFirst(self._clients * JOBS_A_WORKER)
        facts = self._clients[0].facts
        return {
            "grading": self._grading,
            "isolation": facts.get("level", "unknown"),
            "isolation_detail": facts,
            "timeout_s": self._limits.timeout_s,
            "memory_mb": self._limits.memory_mb,
            "workers": self.concurrency,
            "background": self._limits.background,
            "packages": list(self._limits.packages),
            "python": platform.python_version(),
            "platform": platform.system(),
        }

    def _cores(self) -> list[int | None]:
        """The core of each worker, if they are to have them all; else None, for any.

        None with `background` too: which cores nobody else wants changes all the time.
        """
        if not hasattr(os, "sched_getaffinity"):  # not Linux
            return [None] * self.concurrency
        cores = sorted(os.sched_getaffinity(0))
        if self._limits.background or self.concurrency < len(cores):
            return [None] * self.concurrency
        return [cores[place % len(cores)] for place in range(self.concurrency)]

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        """The verdict on one program. `alone`: at normal priority, whatever `background` says."""
        if not program.source.strip():
            return Grade(verdict="no_code", cause="no-code", trust=_trust(reference, False))
        if not self._clients:
            raise RuntimeError("the grader is not open")
        job = Job(program=program.source, reference=reference, alone=alone)
        if self._grading == "split" or reference.style == "unittest":
            return await self._grade(job)
        official = await self._grade(replace(job, official=True))
        # Each difference is a sample that fooled one of the two, or a value that cannot be shipped.
        split = await self._grade(job)
        if isinstance(official, Grade) and isinstance(split, Grade):
            if official.passed == split.passed:
                return official
            return replace(official, split_verdict=split.verdict)
        return official

    async def _grade(self, job: Job) -> Grade | Failure:
        problem_id = job.reference.problem_id
        client = await self._free.get(self._seconds.get(problem_id, 0.0))
        try:
            outcome = await self._run(client, job)
        finally:
            self._free.put(client)
        if isinstance(outcome, WorkerError):
            return Failure(stage="grade", message=one_line(str(outcome)), retryable=True)
        # Timeouts do not count: what one program wastes says nothing of the next.
        if outcome.verdict in ("passed", "wrong"):
            seconds = max(self._seconds.get(problem_id, 0.0), outcome.duration_s)
            self._seconds[problem_id] = seconds
        if outcome.verdict not in VERDICTS:
            message = f"the tests of {problem_id}: {outcome.detail}"
            return Failure(stage="grade", message=one_line(message))
        return Grade(
            verdict=outcome.verdict,
            cause=outcome.cause,
            detail=one_line(outcome.detail),
            duration_s=outcome.duration_s,
            trust=_trust(job.reference, job.official),
            failing_call=_failing_call(outcome),
            units_held=outcome.units_held,
        )

    async def close(self) -> None:
        """End all workers, and the samples that they run."""
        clients, self._clients = self._clients, []
        await asyncio.gather(*(client.stop() for client in clients))

    async def _run(self, client: WorkerClient, job: Job) -> Outcome | WorkerError:
        """What became of one program, from another worker if one fails."""
        failure = WorkerError("the grader was closed")
        tries = starts = killed = 0
        while tries < TRIES and starts < MAX_STARTS and client in self._clients:
            starts += 1
            try:
                outcome = await client.run(job)
                if outcome.verdict == "setup":
                    raise WorkerError(outcome.detail)
                if outcome.verdict == STARVED:
                    job = replace(job, alone=True)
                    continue
                if outcome.verdict != KILLED:
                    return outcome
                # At level full no program can have itself killed, and so none can draw again by
                # it. One that fills the machine's memory on purpose gets no more than these tries.
                killed += 1
                if killed == TRIES_KILLED:
                    return replace(outcome, verdict="crashed")
            except WorkerError as error:
                # At `bare` another sample could have sent that signal: then it takes two.
                sure = failure.out_of_time or client.facts.get("level") != "bare"
                if error.out_of_time and not error.blameless and sure:
                    return Outcome(
                        verdict="timeout",
                        detail=TOO_SLOW,
                        duration_s=0.0,
                        cause="timeout-checker",
                    )
                failure = error
                if not error.blameless:
                    tries += 1
                    job = replace(job, careful=True)
        return failure


def _trust(reference: Reference, official: bool) -> Trust:
    """Whether tests ran beside the program. Inputs never do."""
    beside = bool(reference.test) and (official or reference.style == "unittest")
    return "same-process" if beside else "split"


def _failing_call(outcome: Outcome) -> FailingCall | None:
    call, expected, got = map(one_line, outcome.failing)
    if not call or outcome.verdict == "passed":
        return None
    return FailingCall(call=call, expected=expected, got=got)
