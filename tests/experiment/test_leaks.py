"""A leak in a prompt stops no run, and every output of the run says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trueval.errors import ConfigError
from trueval.experiment.leaks import ASSIST, read, subjects
from trueval.honesty.lint_index import index
from trueval.tasks.demo import Demo

MINE = "name: mine\nsummary: mine\nmode: completion\nbefore: |+\n{before}\ncode: '{{{{prefix}}}}'\n"


@pytest.fixture
def run_with(
    tmp_path: Path, run_demo: Callable[..., Any], script: Any, canonical_rows: Any
) -> Callable[[str], Any]:
    """Runs the demo with a prompt: a name, or the text to show first."""

    def run(prompt: str) -> Any:
        if "\n" in prompt:
            lines = "".join(f"  {line}\n" for line in prompt.splitlines())
            (tmp_path / "mine.yml").write_text(MINE.format(before=lines))
            prompt = str(tmp_path / "mine.yml")
        return run_demo(prompt=prompt, model=script(canonical_rows))

    return run


def test_a_clean_prompt_has_no_label(run_with: Any) -> None:
    summary = run_with("instructional")
    assert ASSIST not in summary["manifest"]["assists"]
    assert not [note for note in summary["notes"] if "leaky" in note]


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("minimal_v6", "TV110"),
        ("# From HumanEval.\n", "TV101"),
        ("def twin(items):\n    return [item + item for item in items]\n", "TV108"),
    ],
)
def test_a_leaky_prompt_labels_the_run(run_with: Any, prompt: str, code: str) -> None:
    # The first problem of the demo doubles each number of a list.
    summary = run_with(prompt)
    assert ASSIST in summary["manifest"]["assists"]
    [note] = [note for note in summary["notes"] if note.startswith("leaky: ")]
    assert code in note
    assert summary["raw"]["estimates"][0]["value"] == 1.0
    folder = Path(summary["run_dir"])
    assert ASSIST in json.loads((folder / "manifest.json").read_text())["assists"]
    assert ASSIST in (folder / "report.html").read_text()


def test_a_prompt_that_no_body_can_follow_is_found(tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    file.write_text("name: p\nsummary: s\nmode: completion\ncode: '{{prefix}}    # Plan:'\n")
    [subject] = subjects([str(file)])
    [finding] = read(subject, [index(Demo().load())])
    assert finding.code == "TV121"


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.txt").write_text("text")
    (tmp_path / "c.bin").write_bytes(b"\0")
    assert [Path(s.name).name for s in subjects([str(tmp_path)])] == ["a.py", "b.txt"]


def test_a_name_that_nothing_has_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no prompt and no file 'minimall'") as error:
        subjects(["minimall"])
    assert "did you mean 'minimal'?" in error.value.hint
