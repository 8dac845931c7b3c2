"""`trueval prompts`, `trueval lint` and `trueval explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trueval.cli import _main
from trueval.honesty.lint_codes import CODES
from trueval.prompts.strategy import library

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path / "cache"))


def test_the_list_has_kind_category_and_provenance(capsys: Capture) -> None:
    assert _main(["prompts", "list"]) == 0
    rows = {line.split()[0]: line.split()[1:4] for line in capsys.readouterr().out.splitlines()}
    assert rows["minimal_v5"] == ["completion", "plain", "clean"]
    assert rows["opt1"] == ["completion", "instruction", "leaky"]
    assert set(rows) == set(library())
    assert _main(["prompts", "list", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(library())


def test_show_renders_what_is_seen_and_what_is_graded(capsys: Capture) -> None:
    assert _main(["prompts", "show", "expert", "--problem", "HumanEval/2"]) == 0
    shown, _, graded = capsys.readouterr().out.partition("--- graded")
    assert "senior Python engineer" in shown
    assert "def truncate_number" in shown
    assert "def truncate_number" in graded
    assert "senior" not in graded


def test_show_renders_a_conversation_by_role(capsys: Capture) -> None:
    assert _main(["prompts", "show", "chat-cot", "--task", "demo"]) == 0
    assert "the model sees of Demo/0, user" in capsys.readouterr().out


def test_show_as_json_has_the_same_facts(capsys: Capture) -> None:
    assert _main(["prompts", "show", "minimal_v4", "--task", "demo", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["shown"]["text"] == facts["continued"]
    assert facts["continued"].endswith('"""\n    ')


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["prompts", "lst"], "did you mean 'list'?"),
        (["prompts", "show", "minimall"], "did you mean 'minimal'?"),
        (["prompts", "show", "minimal", "-p", "HumanEval/1640"], "did you mean 'HumanEval/1"),
        (["prompts", "show", "signature-only", "-p", "Demo/9", "--task", "demo"], "Demo/"),
        (["lint", "minimall"], "did you mean 'minimal'?"),
        (["explain", "TV999"], "did you mean 'TV10"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(arguments: list[str], hint: str, capsys: Capture) -> None:
    assert _main(arguments) == 2
    assert hint in capsys.readouterr().err


def test_lint_of_a_clean_prompt_ends_with_0(capsys: Capture) -> None:
    assert _main(["lint", "minimal", "fewshot_v1", "--task", "demo"]) == 0
    assert "2 read for demo: 0 with findings" in capsys.readouterr().out


def test_lint_of_a_labelled_prompt_ends_with_0_and_says_so(capsys: Capture) -> None:
    assert _main(["lint", "opt1", "--task", "demo"]) == 0
    out = capsys.readouterr().out
    assert "opt1: TV110" in out
    assert "(labelled leaky)" in out


def test_lint_of_a_leak_ends_with_1_and_says_where(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "shot.txt"
    file.write_text("An example.\n\ndef twin(items):\n    return [item + item for item in items]\n")
    assert _main(["lint", str(file), "--task", "demo"]) == 1
    assert f"{file}:3: TV108 twin passes the tests of Demo/0" in capsys.readouterr().out
    assert _main(["lint", str(file), "--task", "demo", "--no-run"]) == 0
    capsys.readouterr()
    assert _main(["lint", str(file), "--task", "demo", "--json"]) == 1
    [facts] = json.loads(capsys.readouterr().out)
    assert [finding["code"] for finding in facts["findings"]] == ["TV108"]


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained(code: str, capsys: Capture) -> None:
    assert _main(["explain", code.lower()]) == 0
    assert "What to do:" in capsys.readouterr().out


def test_explain_alone_lists_the_codes(capsys: Capture) -> None:
    assert _main(["explain"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*CODES]
