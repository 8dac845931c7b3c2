"""How a session can end before its tests do: by the program's doing, by a test's, or by ours."""

from __future__ import annotations

import builtins
import contextlib

ASTRAY = "astray"
"""In the place of a verdict: a test asked for something else than was foreseen. Ask again."""
KILLED = "killed"
"""In the place of a verdict: somebody else killed the candidate. Another try may do better."""


class HarnessError(Exception):
    """Something of ours failed, or a test asks for what cannot be done. It is no verdict."""


class NotSetUpError(HarnessError):
    """A candidate's process ended before it was ready for a program: another may do better."""


class SampleOver(BaseException):
    """The candidate can answer no more: verdict, detail and cause say what became of it."""

    def __init__(self, verdict: str, detail: str, cause: str) -> None:
        super().__init__(verdict, detail, cause)
        self.verdict, self.detail, self.cause = verdict, detail, cause


class GraderGoneError(BaseException):
    """Nobody waits for an answer any more."""


class CandidateError(Exception):
    """The candidate raised an exception that is no built-in one."""


class NotSentError(HarnessError):
    """A test passes what is not data."""


class UnsupportedError(CandidateError):
    """A test passes on an answer that was not data."""


# What a zygote's reason begins with, up to the colon, and what that means.
_REASONS = {
    "timeout (cpu)": ("timeout", "timeout-cpu"),
    "timeout (wall)": ("timeout", "timeout-wall"),
    "memory": ("out_of_memory", "out-of-memory"),
    "socket": ("crashed", "protocol"),
}


def over_by(reason: str) -> SampleOver:
    """The end of a candidate that used too much time or memory, in the zygote's words."""
    verdict, cause = _REASONS[reason.partition(":")[0]]
    return SampleOver(verdict, reason, cause)


def exception_in(reply: bytes) -> Exception:
    """The candidate's exception as its first built-in class, and marked as the candidate's."""
    name, base, text = [*reply.decode("utf-8", "replace").split("\0", 2), "", ""][:3]
    name, text = name[:100], text[:1000]
    detail = f"{name}: {text}" if name and text else name or text
    kind = getattr(builtins, base, None)
    error: Exception = CandidateError(detail)
    if type(kind) is type and issubclass(kind, Exception):
        with contextlib.suppress(TypeError):  # UnicodeDecodeError takes more than a message
            error = kind(text)
    error.from_candidate = detail  # type: ignore[attr-defined]
    return error
