"""A fork server: takes a job, forks a fresh process for it, and says what became of that.

It is started by the grader as a small process of its own, because the grader's process holds
engines, threads and memory that a sample must neither inherit nor pay for. One sample at a time.
"""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH120

from __future__ import annotations

import gc
import os
import resource
import select
import sys
import time
from typing import Any, NoReturn

from trueval.grade.sandbox import child
from trueval.grade.sandbox.clock import Deadline
from trueval.grade.sandbox.frames import answer_frame, packed, read_frame
from trueval.grade.sandbox.isolation import MAX_OPEN_FILES, Isolation, end_of
from trueval.grade.sandbox.scratch import removed, wiped

MAX_REPORT_BYTES = 64 * 1024
READY = b"ready"
BEGUN = b"."
"""A sample's process says this before the sample runs: if it never does, the fault is ours."""
VERDICT_OF = {
    child.PASSED: "passed",
    child.WRONG: "wrong",
    child.ERROR: "error",
    child.OUT_OF_MEMORY: "out_of_memory",
    child.ENDED: "crashed",
}


class GraderGoneError(Exception):
    """The other end of the pipes is closed: nobody waits for an answer any more."""


def main() -> None:
    """Serve jobs from stdin until it closes. The first frame holds the settings."""
    jobs, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    settings = read_frame(jobs)
    worker = Worker(settings, jobs)
    _warm_up(settings["packages"])
    os.write(answers, answer_frame(READY, worker.isolation.describe(), 0.0, ""))
    try:
        wiped(settings["scratch"], worker.isolation.uid)
        while (job := read_frame(jobs)) is not None:
            os.write(answers, worker.answer(*job))
            wiped(settings["scratch"], worker.isolation.uid)
    except (GraderGoneError, BrokenPipeError):
        pass
    finally:
        removed(os.path.dirname(settings["scratch"]))


def _warm_up(packages: dict[str, str]) -> None:
    """Do once what every sample would do again, and leave no trace of ours to import."""
    # First uses are slow: the compiler's, and the imports that most programs begin with.
    for name in ("collections", "functools", "itertools", "math", "re", "typing"):
        __import__(name)
    exec(
        compile("from typing import List\ndef f(a: List[int]) -> int:\n  return a", "", "exec"), {}
    )
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    if packages:
        sys.meta_path.append(OnlyThese(packages))
    sys.path[:] = [folder for folder in sys.path if folder != os.path.dirname(__file__)]
    for name in [name for name in sys.modules if name.partition(".")[0] == "trueval"]:
        del sys.modules[name]
    sys.modules["__main__"] = type(sys)("__main__")
    gc.collect()
    gc.freeze()  # a collection in a child then leaves these pages shared


class OnlyThese:
    """Imports a few packages from where they are installed, and none of their neighbours."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """The package's spec, by its top-level name."""
        from _frozen_importlib_external import PathFinder

        folder = self._folders.get(name)
        return PathFinder.find_spec(name, [folder], target) if folder else None


class Worker:
    """Runs one job at a time, each in a process that is gone before the answer is given."""

    def __init__(self, settings: dict[str, Any], jobs: int) -> None:
        self._settings = settings
        self._jobs = jobs
        self.isolation = Isolation(settings)

    def answer(self, program: str, alone: bool) -> bytes:
        """The answer frame for one program. Reads the tests only once the program is on its way."""
        tests_r, tests_w = os.pipe()
        report_r, report_w = os.pipe()
        started = time.monotonic()
        self.isolation.before_fork()
        pid = os.fork()
        if pid == 0:
            self._become_sample(program, alone, tests_r, report_w)
        os.close(tests_r)
        os.close(report_w)
        try:
            frame = read_frame(self._jobs)
            if frame is None:
                raise GraderGoneError
            nonce, tests = frame
            secret = os.urandom(child.SECRET_BYTES // 2).hex().encode()
            watch = _Watch(report_r, tests_w, packed(tests) + secret, secret)
            idle = self._settings["background"] and not alone
            deadline = Deadline(pid, self._settings["timeout_s"], idle)
            watch.until_over(pid, deadline, self._jobs)
        finally:
            status, usage = self.isolation.end(pid)
            os.close(report_r)
            os.close(tests_w)
        verdict, detail = self._verdict(watch, deadline, status, usage)
        return answer_frame(nonce, verdict, time.monotonic() - started, detail)

    def _become_sample(self, program: str, alone: bool, tests_r: int, report_w: int) -> NoReturn:
        try:
            # 0, 1 and 2 are the null device already.
            os.closerange(3, tests_r)
            os.closerange(tests_r + 1, report_w)
            os.closerange(report_w + 1, MAX_OPEN_FILES)
            self.isolation.enter(self._settings, alone, report_w)
            os.write(report_w, BEGUN)
            child.run(program, tests_r, report_w)
        finally:
            os._exit(1)  # whatever happens, a sample never gets to serve jobs

    def _verdict(
        self, watch: _Watch, deadline: Deadline, status: int, usage: resource.struct_rusage
    ) -> tuple[str, str]:
        """What the report says, or for want of a true one, how the process ended."""
        if watch.report is not None:
            verdict = VERDICT_OF.get(watch.report[:1], "crashed")
            return verdict, watch.report[1:].decode("utf-8", "replace")
        if deadline.reason:
            return "timeout", deadline.reason
        code = os.waitstatus_to_exitcode(status)
        if not watch.begun:
            raise RuntimeError(f"a sample's process could not be set up: exit {code}")
        if code == -24:  # SIGXCPU: the kernel's own count was ahead of ours
            return "timeout", "CPU time"
        # Linux counts in KiB, macOS in bytes.
        peak_mb = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
        if code < 0 and peak_mb > 0.8 * self._settings["memory_mb"]:
            return "out_of_memory", f"signal {-code} at {peak_mb:.0f} MB"
        ended = f"signal {-code}" if code < 0 else f"exit {code}"
        return "crashed", f"{ended} before the tests ended"


class _Watch:
    """Feeds a sample its tests and collects its report."""

    def __init__(self, report_r: int, tests_w: int, outbox: bytes, secret: bytes) -> None:
        self._report_r, self._tests_w = report_r, tests_w
        self._outbox, self._secret = memoryview(outbox), secret
        self._inbox = bytearray()
        self.report: bytes | None = None
        """Verdict letter and detail, from a report that bore the secret."""
        os.set_blocking(report_r, False)
        os.set_blocking(tests_w, False)
        self._poll = select.poll()
        self._poll.register(report_r, select.POLLIN)
        self._poll.register(tests_w, select.POLLOUT)

    @property
    def begun(self) -> bool:
        """Whether the sample's process was set up, and the sample started."""
        return bool(self._inbox)

    def until_over(self, pid: int, deadline: Deadline, jobs: int) -> None:
        """Return when the sample has reported, has ended, or is out of time."""
        with end_of(pid) as ended:
            self._poll.register(jobs, 0)  # hang-ups are always reported
            if ended.fd is not None:
                self._poll.register(ended.fd, select.POLLIN)
            while self.report is None:
                ready = dict(self._poll.poll(deadline.next_look_s() * 1000))
                if jobs in ready:
                    raise GraderGoneError
                if self._tests_w in ready:
                    self._feed()
                if self._report_r in ready:
                    self._collect()
                elif ended.fd in ready or ended.by_now():
                    return
                if deadline.is_over():
                    return

    def _feed(self) -> None:
        try:
            self._outbox = self._outbox[os.write(self._tests_w, self._outbox) :]
        except OSError:
            self._outbox = self._outbox[:0]
        if not self._outbox:
            self._poll.unregister(self._tests_w)

    def _collect(self) -> None:
        try:
            part = os.read(self._report_r, 8192)
        except BlockingIOError:
            return
        self._inbox += part
        # What a sample wrote before the true report is skipped, within reason.
        _, secret, report = self._inbox.partition(self._secret)
        if secret and b"\n" in report:
            self.report = bytes(report.partition(b"\n")[0])
        elif not part or len(self._inbox) > MAX_REPORT_BYTES:
            self._poll.unregister(self._report_r)
