"""`trueval tasks`: what it says of a benchmark, and how one gets into the cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tasks.references import SHARED
from trueval import registry
from trueval.cli import _main

SANITIZED = SHARED / "mbpp-sanitized.jsonl.gz"
here = pytest.mark.skipif(not SANITIZED.exists(), reason="no official file beside the checkout")
L1 = "SingleLineInfilling/HumanEval/0/L1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path))
    return tmp_path


def test_the_list_is_the_one_of_trueval_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["tasks", "list"]) == 0
    listed = capsys.readouterr().out
    assert _main(["list", "tasks"]) == 0
    assert listed == capsys.readouterr().out
    assert all(name in listed for name in registry.known("tasks"))


def test_show_marks_the_hole_and_keeps_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["tasks", "show", "humaneval-infill-single", "-p", L1]) == 0
    out = capsys.readouterr().out
    assert "hole      line" in out
    assert "problems  1033" in out
    assert "SHA-256 as published" in out
    assert "    for idx, elem in enumerate(numbers):\n<<<HOLE>>>\n            if idx" in out
    assert "7 asserts" in out
    assert "assert candidate" not in out
    assert "idx2, elem2 in enumerate" not in out


def test_answers_are_shown_when_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["tasks", "show", "humaneval-infill-single", "-p", L1, "--answers"]) == 0
    out = capsys.readouterr().out
    assert "idx2, elem2 in enumerate" in out
    assert "assert candidate" in out


@pytest.mark.parametrize("answers", [[], ["--answers"]])
def test_json_holds_the_same_facts(answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["tasks", "show", "demo", "--json", *answers]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["problems"], facts["metrics"]) == (8, ["pass"])
    assert ("canonical_solution" in facts["example"]) is bool(answers)
    assert ("test" in facts["example"]) is bool(answers)


def test_a_file_of_one_s_own_is_shown_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"task_id": "a", "prompt": "x = ", "canonical_solution": "1", "suffix": "\n"}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row))
    assert _main(["tasks", "show", str(tmp_path / "mine.jsonl")]) == 0
    out = capsys.readouterr().out
    assert "x = <<<HOLE>>>" in out
    assert "no tests: compared with the true text" in out


@here
def test_pull_takes_a_file_into_the_cache_where_show_finds_it(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(["tasks", "pull", "mbpp-sanitized", "--from", str(SANITIZED)]) == 0
    file = cache / "tasks" / "mbpp-sanitized" / "mbpp-sanitized.jsonl"
    assert capsys.readouterr().out.startswith(f"{file}\n")
    assert _main(["tasks", "show", "mbpp-sanitized"]) == 0
    assert "problems  257" in capsys.readouterr().out


def test_what_comes_with_packages_needs_no_pull(capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["tasks", "pull", "humaneval"]) == 0
    assert "needs no fetching" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shw"], "did you mean 'show'?"),
        (["show", "mpbb"], "did you mean 'mbpp'?"),
        (["show", "demo", "-p", "Demo/99"], "did you mean 'Demo/"),
        (["show", "demo", "-p", "nothing like it"], "e.g. 'Demo/0'"),
        (["show", "demo", "--file", "x"], "takes no --file"),
        (["show", "gone.jsonl"], "cannot read gone.jsonl"),
        (["show", "jsonl"], "needs a file"),
        (["pull", "demo", "--from", "x"], "takes no file"),
        (["pull", "mbpp", "--from", "gone"], "cannot read gone"),
    ],
)
def test_a_mistake_is_one_message_with_the_next_thing_to_type(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(["tasks", *arguments]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""
