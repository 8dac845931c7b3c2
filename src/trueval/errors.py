"""The errors a user can meet. Each says what is wrong, where, and the next thing to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TruevalError(Exception):
    """A user's mistake or a failing machine: shown as one message, never as a traceback."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(TruevalError):
    """A name, key or value that cannot be meant."""


class DataError(TruevalError):
    """A file that cannot be read, or does not hold what it should."""


class MissingExtraError(TruevalError):
    """A feature whose packages are not installed."""

    def __init__(self, package: str, *, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the package {package!r}, which is not installed",
            hint=f"pip install 'trueval[{extra}]'",
        )


class BackendError(TruevalError):
    """A model or a server that cannot be used at all."""

    exit_code = 4


class ControlsFailedError(TruevalError):
    """Canonical solutions do not pass, or cheats do: no number from this chain can be trusted."""

    exit_code = 3


class InfraError(TruevalError):
    """Samples are missing because something of ours, or of the machine's, failed."""

    exit_code = 4


class StorageError(InfraError):
    """A run's folder that cannot be written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'humaneval'? known: ...`, for the hint of an error about a name."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}known: {', '.join(names)}"
