"""How far a run is, on stderr, while it runs."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO, TypedDict, Unpack

CLEAR = "\r\x1b[2K"
PLAIN_INTERVAL_S = 2.0
ETA_AFTER_S = 2.0
ETA_AFTER_SHARE = 0.03


class Progress(TypedDict, total=False):
    """What `LiveLine.update` takes; what is left out stays as it was."""

    phase: str
    """A new one restarts rate and ETA. Give its `total`, and the first `done` and `tokens`, in
    the same call, so that what an earlier run had finished does not count as speed."""
    done: int
    total: int | None
    """None when nobody knows: the elapsed time stands for the ETA."""
    passed: int
    graded: int
    """Samples with a verdict: the denominator of pass so far."""
    tokens: int
    """Completion tokens so far."""
    infra: int
    backlog: int
    """Completions that wait for their grade."""


FIELDS = frozenset(Progress.__annotations__)


class LiveLine:
    """One line that keeps saying where a run is; a plain line every 2 s when not on a terminal.

    Use it as a context manager. A thread of its own redraws it, so that a run in which nothing
    finishes is not silent. A stream that cannot be written (closed, a broken pipe) ends the line
    and never the run. It has no colours, so NO_COLOR changes nothing; TERM=dumb gets plain lines.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        interval_s: float = 0.5,
        *,
        interval: Callable[[int, int], tuple[float, float]] | None = None,
        plain_interval_s: float = PLAIN_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`interval` gives (low, high) for (passed, graded), each in 0 .. 1."""
        self._stream = sys.stderr if stream is None else stream
        self._live = is_terminal(self._stream)
        self._interval_s = interval_s if self._live else plain_interval_s
        self._interval = interval
        self._clock = clock
        self._state: Progress = {"done": 0, "total": None, "tokens": 0, "infra": 0}
        self._start = (clock(), 0, 0)
        """When the phase began, and how much was done and how many tokens drawn by then."""
        self._shown = ""
        self._broken = False
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="live-line", daemon=True)

    def __enter__(self) -> LiveLine:
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def update(self, **fields: Unpack[Progress]) -> None:
        """Take in new figures. It draws nothing, so call it as often as something changes."""
        if not fields.keys() <= FIELDS:
            raise TypeError(f"unknown progress: {', '.join(fields.keys() - FIELDS)}")
        phase_is_new = "phase" in fields and fields["phase"] != self._state.get("phase")
        if not phase_is_new:
            self._state.update(fields)
            return
        with self._lock:
            self._state.update(fields)
            now = self._state
            now["done"] = fields.get("done", 0)
            now["total"] = fields.get("total")
            self._start = (self._clock(), now["done"], now["tokens"])
            self._draw()

    def message(self, text: str) -> None:
        """Print a full line above the live one."""
        with self._lock:
            self._write(f"{CLEAR if self._live else ''}{text}\n")
            if self._live:
                self._draw()

    def close(self) -> None:
        """Stop, and clear the line; off a terminal, print where it ended. Safe to call twice."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._ticker.is_alive():
            self._ticker.join()
        with self._lock:
            if self._live:
                self._write(CLEAR if self._shown else "")
            elif self.text() != self._shown:
                self._draw()

    def text(self) -> str:
        """The line as it stands: `generate+grade  57/164  pass 5.3% [1.8%, 14.4%]  ETA 0:31`."""
        state = self._state.copy()  # One snapshot: other threads go on updating.
        if "phase" not in state:
            return ""
        parts = [state["phase"], self._count(state), self._pass(state), *self._pace(state)]
        if backlog := state.get("backlog"):
            parts.append(f"to grade {backlog:,}")
        if parts[1] or state["infra"]:  # Nothing is counted while a model loads.
            parts.append(f"infra {state['infra']:,}")
        return "  ".join(part for part in parts if part)

    def _count(self, state: Progress) -> str:
        done, total = state["done"], state["total"]
        if total is None:
            return f"{done:,}" if done else ""
        return f"{done:,}/{total:,}"

    def _pass(self, state: Progress) -> str:
        graded, passed = state.get("graded", 0), state.get("passed", 0)
        # The two are set one after the other; for an instant there may be more passed.
        if not graded or passed > graded:
            return ""
        share = f"pass {passed / graded:.1%}"
        if self._interval is None:
            return share
        low, high = self._interval(passed, graded)
        return f"{share} [{low:.1%}, {high:.1%}]"

    def _pace(self, state: Progress) -> list[str]:
        began, done_before, tokens_before = self._start
        elapsed = max(self._clock() - began, 1e-9)
        tokens = state["tokens"] - tokens_before
        speed = f"{tokens / elapsed:,.0f} tok/s" if tokens > 0 else ""
        done, total = state["done"] - done_before, state["total"]
        if total is None or not _can_tell(done, total - done_before, elapsed):
            return [speed, duration(elapsed)]
        left = max(0, total - state["done"])
        return [speed, f"ETA {duration(left * elapsed / done)}"]

    def _tick(self) -> None:
        while not self._stop.wait(self._interval_s):
            if self._broken:
                return
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        text = self.text()
        if not text:
            return
        if self._live:
            # One column is left free: a full row makes some terminals wrap.
            self._write(f"{CLEAR}{text[: self._columns() - 1]}")
        else:
            self._write(f"{text}\n")
        self._shown = text

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError, AttributeError):
            return shutil.get_terminal_size().columns

    def _write(self, text: str) -> None:
        if self._broken or not text:
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):  # A broken pipe, a full disk; a closed file.
            self._broken = True


def is_terminal(stream: TextIO) -> bool:
    """Whether a line can be drawn over on this stream."""
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # Closed.
        return False


def duration(seconds: float) -> str:
    """`0:31`, `12:05`, `1:02:07`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _can_tell(done: int, of: int, elapsed_s: float) -> bool:
    """Whether a rate says something: not from the first samples of a batch, nor from none."""
    return done > 0 and (elapsed_s >= ETA_AFTER_S or done >= ETA_AFTER_SHARE * of)
