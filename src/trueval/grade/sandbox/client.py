"""The grader's end of a worker: start it, hand it jobs, replace it when it fails.

A worker is a checker with its zygote. Two jobs are handed to it at a time, so that it has the next
one when it is done. When it fails, the job at its head has had its first try, and the other none.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import marshal
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from trueval.grade.sandbox import specs
from trueval.grade.sandbox.clock import WALL_FACTOR_IDLE
from trueval.grade.sandbox.line import Line, WorkerError
from trueval.grade.sandbox.sources import BOOT, first_frames
from trueval.grade.sandbox.wire import packed
from trueval.types import Cause, Reference

START_TIMEOUT_S = 30.0
ANSWER_SLACK_S = 30.0
"""How much longer than the longest deadline a worker may take before it counts as hung."""
MAX_KNOWN_TESTS = 4000
"""Problems whose tests a worker keeps compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one sample may use, and how its worker treats it."""

    timeout_s: float = 3.0
    memory_mb: int = 1024
    background: bool = False
    """Run samples only on cores that nobody else wants."""
    level: str = "auto"
    """How far samples are kept apart; `auto` never means `bare`."""
    packages: tuple[str, ...] = ()
    """Installed packages that samples may import, beside the standard library."""
    scratch_mb: int = 16
    core: int | None = None
    """The one that the worker and its samples run on; None for any. Its processes take turns more
    than they run side by side, and to wake one on the same core costs least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a worker said of one program."""

    verdict: str
    """A `Verdict`; or `harness` when the tests allow none, and `setup` when another try may."""
    detail: str
    duration_s: float
    cause: Cause = ""
    failing: tuple[str, str, str] = ("", "", "")
    units_held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One program to judge."""

    program: str
    reference: Reference
    alone: bool = False
    official: bool = False
    careful: bool = False
    """Do nothing with the program outside its own process: a worker has died over it."""


class WorkerClient:
    """One worker. It is started by the first job, and again after a failure."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.facts: Mapping[str, Any] = {}
        """What keeps samples apart here, once it runs: `level` and the mechanisms."""
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._folder = ""
        self._known: set[str] = set()
        self._starting = asyncio.Lock()
        self._ending: list[tuple[subprocess.Popen[bytes], str]] = []
        """Killed, and not yet waited for."""

    @property
    def pid(self) -> int | None:
        """The checker's process id, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Have a process that is ready for a job. Raises `WorkerError` when it cannot start."""
        async with self._starting:
            if self._line is not None and self._line.open:
                return
            await self.stop()
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._start()
            except (OSError, TimeoutError, WorkerError) as error:
                await self.stop()
                raise WorkerError(f"a grading worker did not start: {error}") from error
            except BaseException:
                self.kill()
                raise

    async def run(self, job: Job) -> Outcome:
        """What became of one program. Raises `WorkerError` when the worker failed at it."""
        if self._line is None or not self._line.open:
            await self.start()
        line = self._line
        assert line is not None
        try:
            found = await line.send(self._request(job))
        except WorkerError as error:
            if self._line is line:
                error.out_of_time = await self._exit_code() == -signal.SIGVTALRM
                if self._line is line:
                    self.kill()
            raise
        except BaseException:
            # Cancelled: it may be in the middle of a job, and nobody will read the answer.
            if self._line is line:
                self.kill()
            raise
        return Outcome(
            verdict=found.verdict,
            detail=found.detail,
            duration_s=found.duration_s,
            cause=cast("Cause", found.cause),
            failing=found.failing,
            units_held=found.units_held,
        )

    def kill(self) -> None:
        """End the worker now, and with it the sample that it runs. The next job starts another."""
        process, self._process = self._process, None
        line, self._line = self._line, None
        if process is not None:
            process.kill()
            self._ending.append((process, self._folder))
        if line is not None:
            line.fail("it was ended")

    async def stop(self) -> None:
        """Like `kill`, and wait until nothing is left of it."""
        self.kill()
        while self._ending:
            # It stays in the list until it is gone: this may be cancelled at the await, and then
            # the next one to stop has to find it.
            ended = process, folder = self._ending[-1]
            await asyncio.to_thread(process.wait)
            shutil.rmtree(folder, ignore_errors=True)
            if ended in self._ending:
                self._ending.remove(ended)

    async def _exit_code(self) -> int | None:
        """How the checker ended; None when it did not."""
        for _ in range(50):
            if self._process is None or self._process.poll() is not None:
                break
            await asyncio.sleep(0.01)
        return self._process.returncode if self._process is not None else None

    async def _start(self) -> None:
        self._folder = _scratch_folder()
        self._known = set()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - forking takes 1 ms, and no wait
                (sys.executable, "-s", "-S", "-P", os.fspath(BOOT)),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(self._scratch),
                start_new_session=True,  # Ctrl-C in a terminal is for the grader to handle
            )
        loop = asyncio.get_running_loop()
        ours.setblocking(False)
        longest_s = 2 * (self.limits.timeout_s * WALL_FACTOR_IDLE + ANSWER_SLACK_S)
        _, self._line = await loop.create_unix_connection(lambda: Line(longest_s), sock=ours)
        first = await self._line.send(first_frames(self._settings()))
        if first.verdict != "ready":
            raise WorkerError(first.detail)
        self.facts = ast.literal_eval(first.detail)

    @property
    def _scratch(self) -> str:
        # A folder in a folder of ours: a sample owns the inner one, and cannot replace it.
        return os.fspath(Path(self._folder, "work"))

    def _settings(self) -> dict[str, object]:
        return {
            "level": self.limits.level,
            "timeout_s": self.limits.timeout_s,
            "memory_mb": self.limits.memory_mb,
            "background": self.limits.background,
            "packages": _installed(self.limits.packages),
            "read": (),
            "scratch": self._scratch,
            "scratch_mb": self.limits.scratch_mb,
            "core": self.limits.core,
        }

    def _request(self, job: Job) -> bytes:
        reference = job.reference
        key = specs.key(reference)
        content: dict[str, object] = {
            "key": key,
            "program": job.program,
            "alone": job.alone and self.limits.background,
            "official": job.official,
            "careful": job.careful,
        }
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN_TESTS:
                self._known.clear()
                content["forget"] = True
            self._known.add(key)
            content["tests"] = specs.spec(reference)
        return packed(marshal.dumps(content))


def _scratch_folder() -> str:
    folder = tempfile.mkdtemp(prefix=f"trueval-{os.getpid()}-")
    Path(folder).chmod(0o711)  # samples run as another user, and must reach the folder inside
    return folder


def _environment(scratch: str) -> dict[str, str]:
    """All that samples get to see of the environment: no token, no path of the user's."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    if sys.dont_write_bytecode or sys.pycache_prefix:  # else workers keep the library's
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
    return kept | {
        "PATH": os.defpath,
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        # The order of a set decides some verdicts: let it be the same in every run.
        "PYTHONHASHSEED": "0",
        # Each thread would otherwise reserve 64 MB of address space.
        "MALLOC_ARENA_MAX": "2",
        # Or each fork binds the C functions that it calls anew, and pays for the pages.
        "LD_BIND_NOW": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _installed(packages: tuple[str, ...]) -> dict[str, str]:
    """Where each package lies that is installed here."""
    folders = {}
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            folders[name] = str(Path(spec.origin).parent.parent)
    return folders
