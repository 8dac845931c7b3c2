"""Functional correctness: a program passes when every test of its reference holds.

Each program runs in a process of its own, with limits, under a worker that keeps the time and
kills whatever is left. A pass needs a report with a secret that the worker made up for this one
run; exit codes and printed text mean nothing, and answers are compared as plain data.

What this cannot stop, because program and tests share one process: a sample that looks for it
(through frames, `ctypes` or patched standard modules) can read the tests while they call it,
change what they call, or find the pipe that the secret comes through once they have ended. Early
exits, forged output, patched builtins and always-equal answers do not pass. Nothing is hidden
from a sample that the file system shows to everybody, and the network is open to it.
"""

from __future__ import annotations

import asyncio
import functools
import marshal
import os
import platform
from collections.abc import Mapping
from typing import Any

from trueval.errors import InfraError
from trueval.grade.sandbox.child import TEST_FILE
from trueval.grade.sandbox.client import Limits, Outcome, WorkerClient, WorkerError
from trueval.types import Failure, Grade, Program, Reference

MAX_DETAIL = 200


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
    ) -> None:
        """`timeout_s` counts CPU time. `background`: leave the cores to whoever else wants them.

        `packages` may be imported by programs if they are installed; numpy by default, because
        the official harness depends on it, and models use it.
        """
        self.concurrency = workers or os.cpu_count() or 1
        self._limits = Limits(
            timeout_s=timeout_s, memory_mb=memory_mb, background=background, packages=packages
        )
        self._clients: list[WorkerClient] = []
        self._free: asyncio.Queue[WorkerClient] = asyncio.Queue()

    async def open(self) -> Mapping[str, Any]:
        """Start the workers. Raises `InfraError` when one cannot be started."""
        if not self._clients:
            self._free = asyncio.Queue()
            self._clients = [WorkerClient(self._limits) for _ in range(self.concurrency)]
            try:
                await asyncio.gather(*(client.start() for client in self._clients))
            except WorkerError as error:
                await self.close()
                hint = "trueval doctor says what is missing"
                raise InfraError(_one_line(str(error)), hint=hint) from error
            except BaseException:
                await self.close()
                raise
            for client in self._clients:
                self._free.put_nowait(client)
        return {
            "isolation": "process",
            "isolation_detail": self._clients[0].isolation,
            "timeout_s": self._limits.timeout_s,
            "memory_mb": self._limits.memory_mb,
            "workers": self.concurrency,
            "background": self._limits.background,
            "packages": list(self._limits.packages),
            "python": platform.python_version(),
            "platform": platform.system(),
        }

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        """The verdict on one program. `alone`: at normal priority, whatever `background` says."""
        if not program.source.strip():
            return Grade(verdict="no_code")
        if not self._clients:
            raise RuntimeError("the grader is not open")
        try:
            test_code = _compiled(reference.test)
        except (SyntaxError, ValueError) as error:
            message = f"the tests of {reference.problem_id} do not compile: {error}"
            return Failure(stage="grade", message=message)
        client = await self._free.get()
        try:
            outcome = await self._run(client, program.source, test_code, reference, alone)
        finally:
            self._free.put_nowait(client)
        if isinstance(outcome, WorkerError):
            return Failure(stage="grade", message=_one_line(str(outcome)), retryable=True)
        return Grade(
            verdict=outcome.verdict,
            detail=_one_line(outcome.detail),
            duration_s=outcome.duration_s,
        )

    async def close(self) -> None:
        """End all workers, and the samples that they run."""
        clients, self._clients = self._clients, []
        await asyncio.gather(*(client.stop() for client in clients))

    async def _run(
        self, client: WorkerClient, source: str, test_code: bytes, reference: Reference, alone: bool
    ) -> Outcome | WorkerError:
        """What became of one program, from a second worker if the first one fails."""
        failure = WorkerError("the grader was closed")
        for _ in range(2):
            if client not in self._clients:  # closed meanwhile: nothing may be started any more
                break
            try:
                return await client.run(source, test_code, reference.entry_point, alone)
            except WorkerError as error:
                failure = error
        return failure


@functools.lru_cache(maxsize=1024)
def _compiled(test: str) -> bytes:
    # Here, once, and not in each sample's process, where it would cost more than the tests do.
    # optimize=0: under `python -O` every assert would vanish, and every program pass.
    return marshal.dumps(compile(test, TEST_FILE, "exec", dont_inherit=True, optimize=0))


def _one_line(text: str) -> str:
    """`text` with everything escaped that is not printable, cut to `MAX_DETAIL`."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:MAX_DETAIL]
    )
    return shown if len(shown) <= MAX_DETAIL else shown[: MAX_DETAIL - 1] + "…"
