"""Stored completions through another pipeline: a run of their own, with a manifest of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Quiet
from trueval.cli import _main
from trueval.errors import ConfigError, DataError
from trueval.experiment.reprocess import reprocess

Run = Callable[..., Any]
Rows = list[dict[str, str]]

BROKEN = "    return [2 * number for number in numbers]\n    x = ("


def again(run: Any, post: str | tuple[str, ...], **options: Any) -> Any:
    return asyncio.run(reprocess(run["run_dir"], post, screen=Quiet(), **options))


@pytest.fixture
def broken_first(script: Callable[..., str], canonical_rows: Rows) -> str:
    return script([{"problem_id": "Demo/0", "text": BROKEN}, *canonical_rows[1:]])


def test_another_pipeline_scores_the_same_completions(run_demo: Run, broken_first: str) -> None:
    first = run_demo(model=broken_first, name="first")
    samples = (Path(first["run_dir"]) / "samples.jsonl").read_bytes()
    second = again(first, "repair")
    assert second["name"] == "first-repair"
    assert second["raw"]["outcomes"] == first["raw"]["outcomes"]
    assert second["raw"]["estimates"] == first["raw"]["estimates"]
    assert second["repaired"]["estimates"][0]["value"] == 1.0
    assert second["repaired"]["edits"] == {"whole_statements": 1}
    config = second["manifest"]["config"]
    assert config["post"] == "repair"
    assert config["reprocessed_from"] == {
        "run": "first",
        "samples_sha256": hashlib.sha256(samples).hexdigest(),
    }
    assert second["time"]["tokens_per_s"] == 0
    assert any("those of the run first" in note for note in second["notes"])
    assert (Path(first["run_dir"]) / "samples.jsonl").read_bytes() == samples
    written = {file.name for file in Path(second["run_dir"]).iterdir()}
    assert {"manifest.json", "samples.jsonl", "estimates.json", "report.html"} <= written


def test_the_same_pipeline_gives_the_same_samples(run_demo: Run) -> None:
    first = run_demo(samples=2, k=[1, 2], sampling={"temperature": 0.5})
    second = again(first, "default", name="second", k=(1, 2))
    assert second["raw"] == first["raw"]
    assert programs(second) == programs(first)


def programs(summary: Any) -> list[Any]:
    lines = (Path(summary["run_dir"]) / "samples.jsonl").read_text().splitlines()
    return [(row["request"]["key"], row["program"]) for row in map(json.loads, lines)]


def test_it_goes_on_where_it_was_cut_off(run_demo: Run) -> None:
    first = run_demo(name="first")
    second = again(first, "post_v5")
    file = Path(second["run_dir"]) / "samples.jsonl"
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    third = again(first, "post_v5")
    assert "resumed: 5 of 8 samples were here before" in third["notes"]
    assert third["raw"] == second["raw"]


def test_steps_make_a_pipeline_of_their_own(run_demo: Run) -> None:
    summary = again(run_demo(name="first"), "unfence,align_body,after_function")
    assert summary["name"] == "first-unfence-align_body-after_function"
    assert summary["manifest"]["config"]["post_steps"] == [
        "unfence",
        "align_body",
        "after_function",
    ]


def test_completions_that_were_never_drawn_leave_no_score(run_demo: Run) -> None:
    first = run_demo(name="first")
    file = Path(first["run_dir"]) / "samples.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:5]))
    summary = again(first, "repair")
    assert (summary["raw"]["outcomes"]["infra"], summary["raw"]["estimates"]) == (3, [])


def test_a_run_that_changed_since_is_not_mixed_with_what_it_was(run_demo: Run) -> None:
    first = run_demo(name="first")
    again(first, "repair")
    file = Path(first["run_dir"]) / "samples.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:5]))
    with pytest.raises(ConfigError, match=r"reprocessed_from\.samples_sha256"):
        again(first, "repair")


@pytest.mark.parametrize("post", ["default", "repair", "none"])
@pytest.mark.parametrize("fim", ["left-to-right", "instruct", "starcoder"])
def test_infilling_runs_are_reprocessed_too(
    run_demo: Run, script: Callable[..., str], tmp_path: Path, post: str, fim: str
) -> None:
    task = tmp_path / "holes.jsonl"
    row = {
        "task_id": "h/0",
        "prompt": "def area(width, height):\n",
        "suffix": "    return product\n",
        "canonical_solution": "    product = width * height\n",
        "test": "def check(candidate):\n    assert candidate(3, 5) == 15\n",
        "entry_point": "area",
    }
    task.write_text(json.dumps(row) + "\n")
    model = script([{"problem_id": "h/0", "text": row["canonical_solution"]}])
    first = run_demo(task=str(task), model=model, fim=fim, name="first", force=True)
    second = again(first, post, name="second", force=True)
    assert second["raw"]["estimates"][0]["value"] == first["raw"]["estimates"][0]["value"]
    assert second["manifest"]["config"]["fim"] == fim


# --------------------------------------------------------------------------- refusals


def test_a_run_is_not_written_over_itself(run_demo: Run) -> None:
    with pytest.raises(ConfigError, match="first is the run itself"):
        again(run_demo(name="first"), "repair", name="first")


def test_an_unknown_pipeline_is_a_did_you_mean(run_demo: Run) -> None:
    with pytest.raises(ConfigError) as error:
        again(run_demo(name="first"), "post_v2")
    assert "did you mean 'post_v" in error.value.hint


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda m: m["data"].update(digest="0" * 64), DataError, "drawn with other data of demo"),
        (lambda m: m["config"].update(prompt="minimal"), ConfigError, "in other words"),
    ],
)
def test_what_was_drawn_otherwise_is_refused(
    run_demo: Run, change: Any, kind: type[Exception], message: str
) -> None:
    first = run_demo(name="first")
    file = Path(first["run_dir"]) / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))
    with pytest.raises(kind, match=message):
        again(first, "repair")


def test_the_command_prints_the_table_of_a_run(
    run_demo: Run, broken_first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_demo(model=broken_first, name="first")
    assert _main(["reprocess", first["run_dir"], "--post", "repair"]) == 0
    out = capsys.readouterr().out
    assert "pass@1" in out
    assert "repaired" in out
    assert _main(["reprocess", "nosuch", "--post", "repair"]) == 2
    assert "no run 'nosuch'" in capsys.readouterr().err
