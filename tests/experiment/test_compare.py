from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trueval.errors import ConfigError, DataError, InfraError
from trueval.experiment.compare import compare_runs
from trueval.experiment.stored import StoredRun, open_run
from trueval.report.comparison import render_comparison
from trueval.types import to_json

Run = Callable[..., Any]


@pytest.fixture
def pair(run_demo: Run, script: Callable[..., str], canonical_rows: list[dict[str, str]]) -> Any:
    """A demo run that misses two of eight, and one on right answers that misses none."""
    first = run_demo(name="first")
    second = run_demo(name="second", model=script(canonical_rows), sampling={"seed": 3})
    return [open_run(one["run_dir"]) for one in (first, second)]


def rewrite(run: StoredRun, change: Callable[[dict[str, Any]], None]) -> StoredRun:
    """The run, with its manifest changed on disk."""
    manifest = json.loads((run.folder / "manifest.json").read_text())
    change(manifest)
    (run.folder / "manifest.json").write_text(json.dumps(manifest))
    return open_run(str(run.folder))


def test_two_runs_stand_side_by_side_on_their_common_problems(pair: list[StoredRun]) -> None:
    facts = compare_runs(pair)
    assert facts["problems"] == 8
    assert [run["scores"]["pass@1"]["value"] for run in facts["runs"]] == [0.75, 1.0]
    [found] = facts["pairs"]
    assert found["difference"] == 0.25
    assert (len(found["gains"]), found["losses"]) == (2, [])
    assert (found["p"], found["test"]) == (0.5, "McNemar, exact")
    assert found["verdict"] == "cannot tell"
    assert facts["settings"]["sampling.seed"] == [0, 3]
    assert facts["labels"] == []


def test_the_table_says_what_the_facts_say(pair: list[StoredRun]) -> None:
    text = render_comparison(compare_runs(pair))
    assert "8 common problems, raw line" in text
    assert "pass@1: second against first: CANNOT TELL" in text
    assert "difference  +25.0 points [" in text
    assert "p           = 0.5000 (McNemar, exact)" in text
    assert "sampling.seed" in text
    assert "UNTRUSTED" not in text


def test_a_run_beside_itself_differs_in_nothing(pair: list[StoredRun]) -> None:
    facts = compare_runs([pair[0], pair[0]])
    assert facts["pairs"][0]["difference"] == 0
    assert facts["pairs"][0]["p"] == 1.0
    assert facts["settings"] == {}
    assert "settings    the same in all" in render_comparison(facts)


def test_several_comparisons_are_corrected_together(pair: list[StoredRun]) -> None:
    facts = compare_runs([*pair, pair[1]])
    assert [found["p_corrected"] for found in facts["pairs"]] == [1.0, 1.0]
    assert "corrected for all of them (Holm)" in facts["notes"][-1]


def test_several_samples_a_problem_are_paired_by_problem(run_demo: Run) -> None:
    settings: dict[str, Any] = {"samples": 3, "sampling": {"temperature": 0.5}}
    runs = [open_run(run_demo(name=name, **settings)["run_dir"]) for name in ("x", "y")]
    [found] = compare_runs(runs)["pairs"]
    assert found["test"] == "sign flips, exact"
    assert found["difference"] == 0


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("assists", ["oracle length"], "different assists"),
        ("data", {"task": "other", "digest": "d", "problems": 8}, "different tasks"),
    ],
)
def test_runs_that_must_not_be_ranked_are_refused_and_by_force_labelled(
    pair: list[StoredRun], key: str, change: Any, said: str
) -> None:
    runs = [pair[0], rewrite(pair[1], lambda manifest: manifest.update({key: change}))]
    with pytest.raises(ConfigError, match=said):
        compare_runs(runs)
    facts = compare_runs(runs, force=True)
    assert facts["labels"][0].startswith(f"NOT COMPARABLE: {said}")
    assert facts["pairs"][0]["verdict"] == "not ranked"


def test_an_untrusted_run_stays_labelled(pair: list[StoredRun]) -> None:
    runs = [pair[0], rewrite(pair[1], lambda manifest: manifest.update(trusted=False))]
    text = render_comparison(compare_runs(runs))
    assert text.startswith("second is UNTRUSTED")


def test_an_unfinished_run_is_refused_and_by_force_counted_as_not_passed(
    pair: list[StoredRun],
) -> None:
    file = pair[1].folder / "samples.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[0] = json.dumps({**json.loads(lines[0]), "grade": None}) + "\n"
    file.write_text("".join(lines) + '{"torn')
    with pytest.raises(InfraError, match="second: 1 samples without a verdict"):
        compare_runs(pair)
    facts = compare_runs(pair, force=True)
    assert facts["runs"][1]["scores"]["pass@1"]["value"] == 7 / 8
    assert "second: 1 samples without a verdict" in facts["labels"]


def test_of_a_sample_that_stands_twice_the_last_line_counts(pair: list[StoredRun]) -> None:
    file = pair[1].folder / "samples.jsonl"
    first = json.loads(file.read_text().splitlines()[0])
    first["grade"]["verdict"] = "wrong"
    with file.open("a") as lines:
        lines.write(json.dumps(first) + "\n")
    assert len([*pair[1].samples()]) == 8
    assert compare_runs(pair)["runs"][1]["scores"]["pass@1"]["value"] == 7 / 8


def test_only_common_problems_count_and_the_rest_is_said(run_demo: Run) -> None:
    runs = [open_run(run_demo(name=f"n{n}", limit=n)["run_dir"]) for n in (8, 5)]
    facts = compare_runs(runs)
    assert facts["problems"] == 5
    assert "3 problems of n8 are in no other run and left out" in facts["notes"]


def test_match_metrics_are_compared_beside_the_tests(
    pair: list[StoredRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    for run, similarity in zip(pair, (0.4, 0.7), strict=True):
        file = run.folder / "samples.jsonl"
        samples = [to_json(sample) for sample in run.samples()]
        for sample in samples:
            sample["grade"]["matches"] = {"first-line": 1.0, "edit-similarity": similarity}
        file.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    facts = compare_runs(pair)
    assert [found["metric"] for found in facts["pairs"]] == [
        "pass@1",
        "exact match (first-line)",
        "edit similarity",
    ]
    assert facts["pairs"][2]["difference"] == pytest.approx(0.3)
    assert "drawn, seed 0" in facts["pairs"][2]["test"]
    assert [found["metric"] for found in compare_runs(pair, metric="pass")["pairs"]] == ["pass@1"]
    with pytest.raises(ConfigError, match="no metric 'bleu'"):
        compare_runs(pair, metric="bleu")
    # Where a task has no tests, `passed` is a match and no pass rate.
    for run in pair:
        estimates = {"raw": {"estimates": [{"metric": "exact match (first-line)"}]}}
        (run.folder / "estimates.json").write_text(json.dumps(estimates))
    assert "pass@1" not in [found["metric"] for found in compare_runs(pair)["pairs"]]


def test_the_repaired_line_is_compared_on_request(pair: list[StoredRun]) -> None:
    file = pair[0].folder / "samples.jsonl"
    samples = [to_json(sample) for sample in pair[0].samples()]
    for sample in samples:
        sample["repaired"] = {**sample["program"], "edits": ["dedent"]}
        sample["repaired_grade"] = {**sample["grade"], "verdict": "passed"}
    file.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    facts = compare_runs(pair, repaired=True)
    assert facts["runs"][0]["scores"]["pass@1"]["value"] == 1.0
    assert facts["runs"][0]["assists"] == ["repair"]


def test_a_run_without_manifest_is_refused(pair: list[StoredRun]) -> None:
    (pair[0].folder / "manifest.json").unlink()
    with pytest.raises(DataError, match="no manifest"):
        open_run(str(pair[0].folder))


def test_a_run_is_found_by_its_name_and_a_wrong_name_gets_the_nearest(
    pair: list[StoredRun],
) -> None:
    runs = pair[0].folder.parent
    assert open_run("first", runs).folder == runs / "first"
    with pytest.raises(ConfigError, match="did you mean 'second'"):
        open_run("secnd", runs)


def test_reading_changes_nothing_on_disk(pair: list[StoredRun]) -> None:
    def seen(folder: Path) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in folder.iterdir()}

    before = [seen(run.folder) for run in pair]
    compare_runs(pair)
    assert [seen(run.folder) for run in pair] == before
