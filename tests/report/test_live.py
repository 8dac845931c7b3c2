from __future__ import annotations

import io
import os
import threading
import time

import pytest

from trueval.report.live import CLEAR, LiveLine, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def a_real_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def interval(passed: int, graded: int) -> tuple[float, float]:
    return 0.018, 0.144


def started(clock: Clock, **changes: int) -> LiveLine:
    line = LiveLine(Terminal(), interval=interval, clock=clock)
    line.update(phase="generate+grade", done=0, total=164)
    clock.now += 10
    line.update(done=57, passed=3, graded=57, tokens=6120)
    line.update(**changes)  # type: ignore[arg-type]
    return line


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "generate+grade  57/164  pass 5.3% [1.8%, 14.4%]  612 tok/s  ETA 0:19  infra 0",
        ),
        (
            {"backlog": 12, "infra": 2},
            "generate+grade  57/164  pass 5.3% [1.8%, 14.4%]  612 tok/s  ETA 0:19  to grade 12"
            "  infra 2",
        ),
        ({"graded": 0, "passed": 0, "tokens": 0}, "generate+grade  57/164  ETA 0:19  infra 0"),
        (
            {"total": None, "tokens": 0},
            "generate+grade  57  pass 5.3% [1.8%, 14.4%]  0:10  infra 0",
        ),
        (
            {"done": 0, "tokens": 0, "graded": 0},
            "generate+grade  0/164  0:10  infra 0",
        ),
    ],
)
def test_the_line_says_where_the_run_is(changes: dict[str, int], text: str) -> None:
    assert started(Clock(), **changes).text() == text


@pytest.mark.parametrize(
    ("done", "elapsed_s", "shown"), [(1, 0.5, False), (0, 60, False), (1, 2, True), (5, 0.5, True)]
)
def test_an_eta_waits_until_it_can_be_told(done: int, elapsed_s: float, shown: bool) -> None:
    clock = Clock()
    line = LiveLine(Terminal(), clock=clock)
    line.update(phase="grade", total=164)
    clock.now += elapsed_s
    line.update(done=done)
    assert ("ETA" in line.text()) is shown


def test_what_an_earlier_run_finished_is_no_speed() -> None:
    clock = Clock()
    line = LiveLine(Terminal(), clock=clock)
    line.update(phase="generate", done=100, total=164, tokens=50_000)
    clock.now += 10
    line.update(done=110, tokens=51_000)
    assert line.text() == "generate  110/164  100 tok/s  ETA 0:54  infra 0"


def test_a_phase_that_counts_nothing_shows_its_time() -> None:
    clock = Clock()
    line = LiveLine(Terminal(), clock=clock)
    line.update(phase="load model")
    clock.now += 3
    assert line.text() == "load model  0:03"


def test_a_new_phase_starts_anew() -> None:
    clock = Clock()
    line = started(clock)
    line.update(phase="retry", total=3)
    clock.now += 4
    assert line.text() == "retry  0/3  pass 5.3% [1.8%, 14.4%]  0:04  infra 0"


def test_a_misspelt_field_is_a_bug() -> None:
    with pytest.raises(TypeError, match="unknown progress: dnoe"):
        LiveLine(Terminal()).update(dnoe=1)  # type: ignore[call-arg]


def test_a_terminal_sees_one_line_that_is_cut_and_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    with LiveLine(stream, interval_s=60) as line:
        line.update(phase="a phase with quite a long name", done=1, total=2)
        line.message("found a thing")
    drawn = stream.getvalue().split(CLEAR)
    assert max(len(text.strip("\n")) for text in drawn) == 29
    assert drawn[2] == "found a thing\n"
    assert drawn[-1] == ""  # Cleared at the end.


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_without_a_terminal_lines_are_plain(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = stream()
    with LiveLine(out) as line:
        line.update(phase="grade", done=0, total=2)
        line.message("found a thing")
        line.update(done=2)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["grade  0/2  0:00  infra 0", "found a thing"]
    assert lines[2].startswith("grade  2/2")
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_it_speaks_though_nothing_happens(stream: type[io.StringIO]) -> None:
    out = stream()
    with LiveLine(out, interval_s=0.02, plain_interval_s=0.02) as line:
        line.update(phase="load model")
        deadline = time.monotonic() + 5
        while out.getvalue().count("load model") < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert out.getvalue().count("load model") >= 4


def test_update_draws_nothing_and_costs_little() -> None:
    out = Terminal()
    with LiveLine(out, interval_s=60) as line:
        line.update(phase="grade", total=100_000)
        drawn = len(out.getvalue())
        begin = time.thread_time()
        for done in range(50_000):
            line.update(done=done, graded=done)
        elapsed = time.thread_time() - begin
        assert len(out.getvalue()) == drawn
    assert elapsed < 2.5  # 50 us a call on a busy machine; 1 us on a quiet one.


@pytest.mark.parametrize("closed", [True, False])
def test_a_stream_that_breaks_never_ends_the_run(closed: bool) -> None:
    stream = Terminal() if closed else Broken()
    with LiveLine(stream, interval_s=0.01) as line:
        if closed:
            stream.close()
        line.update(phase="grade", done=1, total=2)
        line.message("still here")
        time.sleep(0.05)
        line.update(done=2)
    line.close()
    assert LiveLine(stream).text() == ""


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    with LiveLine(stream, plain_interval_s=0.01) as line:
        line.update(phase="grade", done=1, total=2)
        time.sleep(0.05)
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_what_the_stream_cannot_encode_is_replaced() -> None:
    raw = io.BytesIO()
    with LiveLine(io.TextIOWrapper(raw, encoding="ascii", write_through=True)) as line:
        line.message("naïve \ud800")
        assert raw.getvalue() == b"na?ve ?\n"


def test_the_ticker_ends_with_the_run() -> None:
    with pytest.raises(KeyboardInterrupt), LiveLine(Terminal()):
        raise KeyboardInterrupt
    assert not [t for t in threading.enumerate() if t.name == "live-line"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (31, "0:31"), (725, "12:05"), (3727, "1:02:07")]
)
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text
