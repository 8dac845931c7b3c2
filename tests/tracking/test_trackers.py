"""The shipped trackers against the real packages, where those are installed; no network."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trueval.tracking import facts
from trueval.tracking.mlflow import metric

Run = Callable[..., Any]


def needs(package: str) -> pytest.MarkDecorator:
    found = importlib.util.find_spec(package) is not None
    return pytest.mark.skipif(not found, reason=f"{package} is not installed")


@needs("wandb")
def test_wandb_offline_keeps_config_scores_samples_and_files(
    run_demo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WANDB_MODE", "offline"), ("WANDB_DIR", str(tmp_path))):
        monkeypatch.setenv(name, value)
    summary = run_demo(track=["wandb"], name="mine")
    assert summary["notes"] == []
    [stored] = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = stored.read_bytes()
    for said in (b"pass@1", b"outcomes/passed", b"config_digest", b"live/done", b"report.html"):
        assert said in content
    [table] = tmp_path.glob("wandb/offline-run-*/files/media/table/*.table.json")
    rows = json.loads(table.read_text())
    assert rows["columns"] == list(facts.COLUMNS)
    assert [row[2] for row in rows["data"]].count("passed") == 6


@needs("mlflow")
def test_mlflow_keeps_params_scores_tags_and_files_in_its_file_store(
    run_demo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    summary = run_demo(track=["mlflow"], name="mine")
    assert summary["notes"] == []
    [store] = [path for path in tmp_path.glob("mlruns/*/*") if (path / "params").is_dir()]
    assert (store / "params" / "sampling.max_tokens").read_text() == "512"
    assert float((store / "metrics" / "pass-at-1").read_text().split()[1]) == 0.75
    assert (store / "tags" / "trusted").read_text() == "True"
    kept = {file.name for file in (store / "artifacts").iterdir()}
    assert kept == {*facts.ARTIFACTS, "samples_table.json"}


@needs("trackio")
def test_trackio_keeps_scores_in_its_database(
    run_demo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    summary = run_demo(track=["trackio"], name="mine")
    assert summary["notes"] == []
    database = sqlite3.connect(tmp_path / "trackio" / "trueval.db")
    try:
        logged = " ".join(str(row) for row in database.execute("SELECT * FROM metrics"))
    finally:
        database.close()
    assert "pass@1" in logged and "outcomes/passed" in logged


def test_assists_and_untrusted_are_part_of_a_metrics_name() -> None:
    one = {"metric": "pass@1", "value": 0.5, "low": 0.4, "high": 0.6}
    summary = {
        "manifest": {"trusted": False, "assists": ["one line known"]},
        "raw": {"estimates": [one]},
        "repaired": {"estimates": [one]},
    }
    names = list(facts.scores(summary))
    assert names[0] == "UNTRUSTED pass@1 (one line known)"
    assert names[3] == "UNTRUSTED pass@1 (one line known, repair)"
    assert metric(names[0]) == "UNTRUSTED pass-at-1 -one line known-"


def test_a_table_of_samples_is_capped_and_holds_what_a_model_can_write(tmp_path: Path) -> None:
    sample = {
        "request": {"problem_id": "p", "sample_index": 0},
        "completion": {"text": "\ud800" + "x" * 2 * facts.MAX_TEXT},
        "program": None,
        "grade": {"stage": "grade", "message": "no sandbox"},
    }
    (tmp_path / "samples.jsonl").write_text((json.dumps(sample) + "\n") * 5)
    rows = list(facts.sample_rows(tmp_path, limit=3))
    assert len(rows) == 3
    assert rows[0][2:4] == ["infra", "no sandbox"]
    assert len(rows[0][4].encode()) < facts.MAX_TEXT + 10
