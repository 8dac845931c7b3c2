"""The processes of a grader that is open, seen from outside."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from trueval.grade.functional import FunctionalGrader

PR_SET_CHILD_SUBREAPER = 36


@dataclass(slots=True)
class Worker:
    """What belongs to one checker, as far as it is there at the moment."""

    checker: psutil.Process
    zygote: psutil.Process | None = None
    candidates: list[psutil.Process] = field(default_factory=list)
    others: list[psutil.Process] = field(default_factory=list)
    """At level full: the one outside the namespaces that waits for the zygote inside."""

    def all(self) -> list[psutil.Process]:
        """The checker first: nobody is left then to make a verdict of how the others ended."""
        zygote = [self.zygote] if self.zygote is not None else []
        return [self.checker, *self.others, *zygote, *self.candidates]


def workers_of(grader: FunctionalGrader) -> list[Worker]:
    """The grader's workers; one that starts or ends right now may be there in part."""
    found = []
    for client in grader._clients:
        if client.pid is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(_worker(client.pid, client.facts.get("level") == "full"))
    return found


def _worker(pid: int, has_namespaces: bool) -> Worker:
    worker = Worker(psutil.Process(pid))
    with contextlib.suppress(psutil.NoSuchProcess):
        below = _children(worker.checker)
        if has_namespaces and below:
            worker.others = below
            below = _children(below[0])
        if below:
            worker.zygote = below[0]
            worker.candidates = _children(below[0])
    return worker


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        # psutil looks at every process of the machine for it, which takes longer than a sample.
        text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
    except OSError:
        return [*process.children()]
    found = []
    for pid in text.split():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(pid)))
    return found


def processes_of(grader: FunctionalGrader) -> list[psutil.Process]:
    """All of them."""
    return [process for worker in workers_of(grader) for process in worker.all()]


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def scratch_folders() -> set[Path]:
    """Those of this process: other sessions on the machine have folders of their own."""
    return set(Path(tempfile.gettempdir()).glob(f"trueval-{os.getpid()}-*"))


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """Whatever loses its parent becomes a child of this process, where it can be seen."""
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
