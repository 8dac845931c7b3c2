from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trueval import registry
from trueval.errors import ConfigError
from trueval.experiment.runner import Runner
from trueval.tracking import host

Run = Callable[..., Any]
Seen = Callable[[], list[Any]]


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The calls that the recording tracker got, in order."""
    record = tmp_path / "record.jsonl"
    monkeypatch.setenv("TRUEVAL_TEST_RECORD", str(record))
    monkeypatch.setattr(host, "EVERY_S", 0.0)
    names = {
        **registry.known("trackers"),
        "recording": "tests.tracking.fakes:Recording",
        "absent": "tests.tracking.nowhere:Tracker",
    }
    known = registry.known
    monkeypatch.setattr(
        registry, "known", lambda kind: names if kind == "trackers" else known(kind)
    )

    def read() -> list[Any]:
        lines = record.read_text().splitlines() if record.exists() else []
        return [json.loads(line) for line in lines]

    return read


def test_a_tracker_hears_of_the_start_the_way_and_the_end(run_demo: Run, seen: Seen) -> None:
    summary = run_demo(track=["recording"], name="r")
    calls = seen()
    assert calls[0] == ["start", {"name": "r", "trusted": True}]
    assert {call for call, _ in calls[1:-1]} == {"progress"}
    assert calls[-2][1]["done"] == calls[-2][1]["total"] == 8
    assert calls[-2][1]["passed"] == 6
    call, facts = calls[-1]
    assert call == "finish"
    assert {"manifest.json", "estimates.json", "samples.jsonl", "report.html"} <= {*facts["files"]}
    assert summary["notes"] == []


@pytest.mark.parametrize(
    ("tracker", "fails", "note"),
    [
        ("absent", "", "ModuleNotFoundError: No module named 'tests.tracking.nowhere'"),
        ("recording", "start raise", "RuntimeError: no network at all"),
        ("recording", "progress raise", "RuntimeError: no network at all"),
        ("recording", "finish raise", "RuntimeError: no network at all"),
        ("recording", "progress exit", "SystemExit: 0"),
        ("recording", "finish die", "ended early (exit status 7"),
    ],
)
def test_a_tracker_that_fails_is_a_note_and_no_more(
    run_demo: Run,
    seen: Seen,
    monkeypatch: pytest.MonkeyPatch,
    tracker: str,
    fails: str,
    note: str,
) -> None:
    monkeypatch.setenv("TRUEVAL_TEST_FAIL", fails)
    summary = run_demo(track=[tracker])
    assert summary["raw"]["outcomes"]["passed"] == 6
    [said] = summary["notes"]
    assert said.startswith(f"tracker {tracker}: {note}")
    folder = Path(summary["run_dir"])
    assert json.loads((folder / "estimates.json").read_text()) == summary
    assert f"tracker {tracker}" in (folder / "report.html").read_text()


@pytest.mark.parametrize("call", ["start", "progress", "finish"])
def test_a_tracker_that_hangs_is_waited_for_a_bounded_time_after_the_run(
    run_demo: Run, seen: Seen, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    run_demo(name="controls")  # cached now: their time is no tracker's
    monkeypatch.setenv("TRUEVAL_TEST_FAIL", f"{call} hang")
    monkeypatch.setattr(host, "FINISH_S", 1.5)
    started = time.monotonic()
    summary = run_demo(track=["recording"], name=call)
    assert time.monotonic() - started < 10
    assert "not finished 1.5 s after the run" in summary["notes"][0]


def test_figures_for_a_tracker_that_does_not_read_are_dropped(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUEVAL_TEST_FAIL", "start hang")
    (tmp_path / "manifest.json").write_text('{"name": "r", "trusted": true}')
    with host.Tracking(["recording"], tmp_path) as tracking:
        started = time.monotonic()
        for done in range(5000):  # more than any pipe holds
            tracking.progress(done=done, total=5000, passed=0, graded=done)
        assert time.monotonic() - started < 2
        monkeypatch.setattr(host, "INTERRUPTED_S", 0.1)


def test_a_run_that_is_cut_off_leaves_no_tracker_behind(
    run_demo: Run, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Any] = []
    start = host._Child.start

    def keep(self: Any) -> None:
        start(self)
        children.append(self._process)

    async def broken(self: Runner) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(host._Child, "start", keep)
    monkeypatch.setattr(Runner, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        run_demo(track=["recording"])
    assert [child.poll() is not None for child in children] == [True]
    assert "finish" not in [call for call, _ in seen()]


def test_trackers_do_not_make_it_another_run(run_demo: Run, seen: Seen) -> None:
    first = run_demo(name="r")
    second = run_demo(name="r", track=["recording"])
    assert second["raw"] == first["raw"]
    assert [call for call, _ in seen()][0 :: len(seen()) - 1] == ["start", "finish"]


def test_a_name_that_no_tracker_has_is_refused_before_anything_runs(run_demo: Run) -> None:
    with pytest.raises(ConfigError) as error:
        run_demo(track=["wandbb"])
    assert "did you mean 'wandb'" in str(error.value)
