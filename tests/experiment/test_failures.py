from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trueval.experiment.failures import failures_of
from trueval.experiment.stored import open_run
from trueval.report.failures import render_by_prompt, render_failures

Run = Callable[..., Any]


def test_failures_of_a_run_add_up_and_are_shown_with_their_code(run_demo: Run) -> None:
    facts = failures_of(open_run(run_demo()["run_dir"]))
    assert (facts["graded"], facts["failed"]) == (8, 2)
    assert sum(share["count"] for share in facts["classes"]) == 2
    assert facts["categories"]
    text = render_failures(facts)
    assert "2 of 8 samples failed" in text
    assert "wrong answer" in text
    assert "def " in text
    assert "has tuned on it" in text


def test_expected_values_are_told_on_request_only(run_demo: Run) -> None:
    folder = Path(run_demo()["run_dir"])
    file = folder / "samples.jsonl"
    samples = [json.loads(line) for line in file.read_text().splitlines()]
    for sample in samples:
        if sample["grade"]["verdict"] == "wrong":
            sample["grade"]["detail"] = "AssertionError: should be 7351"
            sample["grade"]["failing_call"] = {"call": "f(1)", "expected": "7351", "got": "0"}
    file.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    run = open_run(str(folder))
    assert "7351" not in json.dumps(failures_of(run))
    told = render_failures(failures_of(run, expected=True))
    assert "expected  7351" in told
    assert "should be 7351" in told


def test_without_the_task_at_hand_there_are_no_kinds_of_problem(run_demo: Run) -> None:
    file = Path(run_demo()["run_dir"]) / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["data"]["digest"] = "another"
    file.write_text(json.dumps(manifest))
    facts = failures_of(open_run(str(file.parent)))
    assert facts["categories"] == []
    assert "not at hand" in facts["notes"][0]


def test_several_runs_stand_side_by_side_by_prompt(run_demo: Run) -> None:
    facts = failures_of(open_run(run_demo()["run_dir"]))
    text = render_by_prompt([facts, facts])
    assert text.count(f": {facts['prompt']}") == 2
    assert "6 (75.0%)" in text


def test_the_report_and_the_summary_of_a_run_have_its_failures(run_demo: Run) -> None:
    summary = run_demo()
    assert summary["failures"]["failed"] == 2
    page = (Path(summary["run_dir"]) / "report.html").read_text()
    assert '<h2 id="failures">Failures</h2>' in page
    assert "has tuned on it" in page


def test_a_hostile_name_cannot_leave_its_place_in_the_page(run_demo: Run) -> None:
    from trueval.report.failures import failures_section

    facts = run_demo()["failures"]
    for found in facts["examples"].values():
        found[0]["problem_id"] = "<script>alert(1)</script>"
    assert "<script>" not in failures_section(facts)
