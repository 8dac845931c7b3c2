"""The grader's end of a worker: start it, hand it jobs, replace it when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import marshal
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from trueval.grade.sandbox.clock import WALL_FACTOR_IDLE
from trueval.grade.sandbox.frames import MAX_ANSWER_BYTES, job_frames, packed, parse_answer
from trueval.types import VERDICTS, Verdict

BOOT = Path(__file__).with_name("boot.py")
START_TIMEOUT_S = 30.0
ANSWER_SLACK_S = 20.0
"""How much longer than the longest deadline a worker may take before it counts as hung."""


class WorkerError(Exception):
    """A worker ended, hung, or answered something that is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one sample may use, and how its worker treats it."""

    timeout_s: float = 3.0
    memory_mb: int = 1024
    background: bool = False
    """Run samples only on cores that nobody else wants."""
    isolate: bool = True
    """Use pid namespaces and users where possible. Off only to test what is left without."""
    packages: tuple[str, ...] = ()
    """Installed packages that samples may import, beside the standard library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a worker said of one program."""

    verdict: Verdict
    detail: str
    duration_s: float


@dataclass(slots=True, eq=False)
class WorkerClient:
    """One worker process. It is started by the first job, and again after a failure."""

    limits: Limits
    isolation: str = ""
    """What the worker could do to keep samples apart, in words. Known once it runs."""
    _process: asyncio.subprocess.Process | None = None
    _folder: str = ""
    _ending: list[tuple[asyncio.subprocess.Process, str]] = field(default_factory=list)
    """Killed, and not yet waited for."""

    @property
    def pid(self) -> int | None:
        """The worker's process id, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Have a process that is ready for a job. Raises `WorkerError` when it cannot start."""
        await self.stop()
        self._folder = _scratch_folder()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-s", "-S", "-P", os.fspath(BOOT)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(self._scratch),
                start_new_session=True,  # Ctrl-C in a terminal is for the grader to handle
                close_fds=True,
            )
            async with asyncio.timeout(START_TIMEOUT_S):
                self._send(packed(marshal.dumps(self._settings())))
                _, self.isolation, _, _ = await self._answer()
        except (OSError, TimeoutError, WorkerError) as error:
            await self.stop()
            shutil.rmtree(self._folder, ignore_errors=True)  # also when there was no process
            raise WorkerError(f"a grading worker did not start: {error!r}") from error
        except BaseException:
            self.kill()
            raise

    async def run(self, program: str, test_code: bytes, entry_point: str, alone: bool) -> Outcome:
        """What became of one program. Raises `WorkerError` when the worker failed at it."""
        if self._process is None:
            await self.start()
        nonce = secrets.token_hex(16).encode()
        longest_s = self.limits.timeout_s * WALL_FACTOR_IDLE + ANSWER_SLACK_S
        try:
            async with asyncio.timeout(longest_s):
                self._send(job_frames(program, alone, nonce, test_code, entry_point))
                echo, verdict, duration_s, detail = await self._answer()
            # Only the worker knows the nonce: no sample can answer in its place.
            if echo != nonce or verdict not in VERDICTS:
                raise WorkerError("an answer to something else")
        except (TimeoutError, WorkerError) as error:
            await self.stop()
            raise WorkerError(f"a grading worker failed: {error!r}") from error
        except BaseException:
            # Cancelled: it may be in the middle of a job, and nobody will read the answer.
            self.kill()
            raise
        return Outcome(verdict=verdict, detail=detail, duration_s=duration_s)

    def kill(self) -> None:
        """End the worker now, and with it the sample that it runs. The next job starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        self._ending.append((process, self._folder))

    async def stop(self) -> None:
        """Like `kill`, and wait until nothing is left of it."""
        self.kill()
        while self._ending:
            process, folder = self._ending.pop()
            await process.wait()
            # Only now: closing reaps, and whoever waits would find the process gone.
            process._transport.close()  # type: ignore[attr-defined]
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _scratch(self) -> str:
        # A folder in a folder of ours: a sample owns the inner one, and cannot replace it.
        return os.fspath(Path(self._folder, "work"))

    def _settings(self) -> dict[str, object]:
        return {
            "timeout_s": self.limits.timeout_s,
            "memory_mb": self.limits.memory_mb,
            "background": self.limits.background,
            "isolate": self.limits.isolate,
            "packages": _installed(self.limits.packages),
            "scratch": self._scratch,
        }

    def _send(self, frames: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(frames)

    async def _answer(self) -> tuple[bytes, str, float, str]:
        assert self._process is not None and self._process.stdout is not None
        try:
            size = int.from_bytes(await self._process.stdout.readexactly(4), "big")
            if size > MAX_ANSWER_BYTES:
                raise WorkerError("an answer that is too long")
            answer = parse_answer(await self._process.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            raise WorkerError(repr(error)) from error
        return answer


def _scratch_folder() -> str:
    folder = tempfile.mkdtemp(prefix="trueval-")
    Path(folder).chmod(0o711)  # samples run as another user, and must reach the folder inside
    return folder


def _environment(scratch: str) -> dict[str, str]:
    """All that samples get to see of the environment: no token, no path of the user's."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return kept | {
        "PATH": os.defpath,
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        # The order of a set decides some verdicts: let it be the same in every run.
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Each thread would otherwise reserve 64 MB of address space.
        "MALLOC_ARENA_MAX": "2",
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
