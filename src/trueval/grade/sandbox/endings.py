"""How a session can end before its tests do: by the program's doing, by a test's, or by ours."""

from __future__ import annotations

KILLED = "killed"
"""In the place of a verdict: somebody else killed the candidate. Another try may do better."""
STARVED = "starved"
"""In the place of a verdict: it stood back for others, and got no core. Alone it may do better."""


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
