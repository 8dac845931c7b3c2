from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from click.testing import CliRunner

from tests.tuning.synthetic import tiny
from trueval.cli.train import command
from trueval.errors import ConfigError, DataError
from trueval.tuning.card import write_card
from trueval.tuning.records import read_records, write_records
from trueval.tuning.tokenizer import file_sha256

FACTS = {
    "parameters": 20_000, "steps": 100, "trained_tokens": 72_000, "hidden_tokens": 30_000,
    "minutes": 1.5, "device": "2 x CPU, 1 thread", "finished": True, "train_tokens": 123_456,
}  # fmt: skip
CURVES = [
    {"step": 50, "tokens": 36_000, "minutes": 0.7, "loss": 3.5},
    {"step": 100, "tokens": 72_000, "minutes": 1.5, "validation": 3.25, "line": 3.75,
     "exact": 0.125, "lines": 40},
]  # fmt: skip
DATA = {
    "functions": {"train": 900, "validation": 100, "dev": 0},
    "contaminated": {"humaneval": 3},
    "benchmarks_absent": ["mbpp", "santacoder-fim"],
    "packages": [
        {"name": "one", "version": "1.0", "licence": "MIT", "split": "train", "functions": 900},
        {"name": "big", "version": "2.0", "licence": "BSD", "split": "validation", "functions": 80},
        {"name": "few", "version": "2.0", "licence": "MIT", "split": "validation", "functions": 20},
    ],
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    data, out = tmp_path / "data", tmp_path / "coder"
    data.mkdir()
    out.mkdir()
    (data / "NOTICE").write_text("one 1.0, MIT", "utf-8")
    (data / "manifest.json").write_text(json.dumps(DATA), "utf-8")
    (out / "model.safetensors").write_bytes(b"weights")
    write_records(out, data, FACTS, tiny().as_dict(), CURVES)
    return out


def estimate(metric: str, value: float) -> dict[str, Any]:
    around = {"value": value, "low": value - 0.02, "high": value + 0.02, "level": 0.95}
    counts = {"problems": 1033, "samples_per_problem": 1}
    return {"metric": metric, "method": "wilson", **around, **counts}


MANIFEST: dict[str, Any] = {
    "config": {"sampling": {"diffusion": {
        "sampler": "p2", "steps": 64, "mode": "exact", "length": "oracle"}}},
    "config_digest": "c0ffee" * 8,
    "data": {"task": "humaneval-infill-single", "digest": "6fffc71ec2f1aa", "problems": 1033,
             "of": 1033, "split": "all"},
    "model": {"id": "coder", "revision": "local", "engine": "trueval.diffusion",
              "precision": "float32", "mode": "completion"},
    "versions": {"trueval": "0.1.0"},
    "assists": ["one line known", "oracle length"],
    "labels": [],
    "trusted": True,
}  # fmt: skip
FOUND: dict[str, Any] = {
    "raw": {"estimates": [
        estimate("pass@1", 0.2), estimate("exact match (line-with-indent)", 0.125),
        estimate("edit similarity", 0.5)]},
    "floor": {"pass@1": {"answer": "pass", "value": 0.036}},
}  # fmt: skip


def write_run(folder: Path, manifest: dict[str, Any], **found: Any) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    facts = {"manifest": manifest, **FOUND, **found}
    (folder / "estimates.json").write_text(json.dumps(facts), "utf-8")
    return folder


def test_a_card_is_made_of_the_records_that_lie_in_the_models_folder(model: Path) -> None:
    assert (model / "NOTICE").read_text("utf-8") == "one 1.0, MIT"
    assert read_records(model).recipe == tiny()
    write_card(model)
    card = (model / "README.md").read_text("utf-8")
    assert "## Scores" not in card
    for part in (
        "72,000 tokens in 100 steps of 720, 30,000 of them hidden",
        "2 x CPU, 1 thread",
        "| 0.1M | 3.250 | 3.750 | 12.5% of 40 |",
        "123,456 tokens of train",
        "packages' own tests are among them",
        "humaneval 3",
        "Not compared with, as they were not on that machine: mbpp, santacoder-fim.",
        "Validation is 2 packages; the largest of them are big 80%, few 20% of it.",
        "Trained on: one 1.0 (MIT)",
    ):
        assert part in card
    assert "<svg" in (model / "loss.svg").read_text("utf-8")


def test_the_scores_of_runs_stand_on_the_card(model: Path, tmp_path: Path) -> None:
    pinned = copy.deepcopy(MANIFEST)
    digest = file_sha256(model / "model.safetensors")
    pinned["model"] |= {"id": "trueval-small", "revision": digest[:12]}
    pinned["config"]["sampling"]["diffusion"]["length"] = 8
    pinned["data"]["problems"] = 200
    pinned |= {"assists": ["one line known"], "trusted": False}
    runs = [write_run(tmp_path / "a", MANIFEST), write_run(tmp_path / "b", pinned)]
    arguments = [part for run in runs for part in ("--run", str(run))]
    done = CliRunner().invoke(command, ["card", str(model), *arguments])
    assert done.exit_code == 0, done.output
    card = (model / "README.md").read_text("utf-8")
    for part in (
        "| [1] | pass@1 (one line known, oracle length) | 20.0% [18.0%, 22.0%] | 3.6% (pass) |",
        "| [2] | exact match (line-with-indent) (one line known) | 12.5% [10.5%, 14.5%] | none |",
        "- [1] humaneval-infill-single @6fffc71ec2f1; 1,033 problems x 1;",
        "p2, 64 steps, exact, length by oracle; coder @local; trueval 0.1.0; config c0ffeec0ffee.",
        "200 of 1,033 problems x 1",
        f"fixed:8; trueval-small @{digest[:12]}",
    ):
        assert part in card
    assert "edit similarity" not in card
    assert card.count("UNTRUSTED") == 1
    write_card(model, runs)
    assert (model / "README.md").read_text("utf-8") == card


@pytest.mark.parametrize(
    "theirs", [{"id": "other"}, {"revision": "0" * 12}, {"revision": ""}, {"revision": "main"}]
)
def test_a_run_of_another_model_is_refused(
    model: Path, tmp_path: Path, theirs: dict[str, str]
) -> None:
    write_card(model)
    before = (model / "README.md").read_text("utf-8")
    manifest = copy.deepcopy(MANIFEST)
    manifest["model"] |= theirs
    with pytest.raises(ConfigError, match=r"is a run of .*, not of coder @"):
        write_card(model, [write_run(tmp_path / "run", manifest)])
    assert (model / "README.md").read_text("utf-8") == before


def test_runs_and_folders_without_records_are_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder of a finished run"):
        write_card(model, [tmp_path])
    with pytest.raises(DataError, match="no score"):
        write_card(model, [write_run(tmp_path / "a", MANIFEST, raw={"estimates": []})])
    two = write_run(tmp_path / "b", MANIFEST)
    (two / "manifest.json").write_text(json.dumps(MANIFEST | {"config_digest": "x"}), "utf-8")
    with pytest.raises(DataError, match="of two runs"):
        write_card(model, [two])
    with pytest.raises(DataError, match="no record of a training"):
        write_card(tmp_path)
    (model / "training.json").write_text("{}", "utf-8")
    with pytest.raises(DataError, match="are none"):
        write_card(model)
