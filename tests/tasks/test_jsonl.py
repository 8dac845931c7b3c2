"""A user's own problems, and what is said of a file that has none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.references import failing
from trueval.errors import ConfigError, DataError
from trueval.tasks.formats import is_file
from trueval.tasks.jsonl import JsonlTask, load_file
from trueval.types import TaskData

CHECK = {
    "task_id": "mine/0",
    "prompt": "def f(x):\n",
    "canonical_solution": "    return x + 1\n",
    "entry_point": "f",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
ASSERTS = {**CHECK, "task_id": "mine/1", "style": "asserts", "test": "assert f(1) == 2\n"}
UNITTEST = {
    **CHECK,
    "task_id": "mine/2",
    "style": "unittest",
    "test": "import unittest\nclass T(unittest.TestCase):\n"
    "    def test_it(self):\n        self.assertEqual(f(1), 2)\n",
}
EXACT = {"task_id": "x/0", "prompt": "a = ", "canonical_solution": "1", "suffix": "\nb = 2\n"}


def load(tmp_path: Path, *rows: Any) -> TaskData:
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_file(file)


def test_each_style_of_test_is_graded(tmp_path: Path) -> None:
    data = load(tmp_path, CHECK, ASSERTS, UNITTEST)
    assert (data.name, data.kind, data.metrics) == ("problems", "completion", ("pass",))
    assert [data.references[f"mine/{i}"].style for i in range(3)] == [
        "check",
        "asserts",
        "unittest",
    ]
    assert failing(data) == {}


def test_without_tests_the_text_is_compared(tmp_path: Path) -> None:
    data = load(tmp_path, EXACT)
    assert (data.kind, data.hole) == ("infilling", "span")
    assert data.metrics == ("whole-text", "edit-similarity")


@pytest.mark.parametrize(
    ("prompt", "middle", "suffix", "hole"),
    [
        ("a\n", "b\n", "c\n", "line"),
        ("a\n", "b", "\nc\n", "line"),
        ("", "b\n", "", "line"),
        ("a\n", "b\nc\n", "d\n", "lines"),
        ("a", "b\n", "c", "span"),
        ("a\n", "b", "c", "span"),
    ],
)
def test_the_hole_is_what_all_middles_are(
    tmp_path: Path, prompt: str, middle: str, suffix: str, hole: str
) -> None:
    row = {"task_id": "x", "prompt": prompt, "canonical_solution": middle, "suffix": suffix}
    data = load(tmp_path, row)
    assert data.hole == hole
    assert ("line-with-indent" in data.metrics) is (hole == "line")


def test_glue_is_kept_from_models_and_given_to_programs(tmp_path: Path) -> None:
    data = load(tmp_path, {**EXACT, "prompt": "a", "before_middle": "\n", "suffix": "\n"})
    assert data.problems[0].glue == ("\n", "")
    assert data.hole == "line"


def test_the_tests_of_a_hole_have_the_helpers_of_its_program(tmp_path: Path) -> None:
    row = {
        **CHECK,
        "prompt": "def g(x):\n    return x\n\ndef f(x):\n    ret",
        "canonical_solution": "urn x",
        "suffix": " + 1\n",
        "test": "def check(candidate):\n    assert candidate(g(1)) == 2\n",
    }
    data = load(tmp_path, row)
    assert data.references["mine/0"].prelude == "def g(x):\n    return x\n\n"
    assert failing(data) == {}


def test_stop_sequences_that_cut_a_right_answer_are_left_out(tmp_path: Path) -> None:
    solution = "    return g(x)\ndef g(x):\n    return x + 1\n"
    data = load(tmp_path, CHECK, {**ASSERTS, "canonical_solution": solution})
    assert "\ndef" not in data.stop
    assert "\nclass" in data.stop


def test_a_compressed_file_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(CHECK).encode()))
    assert JsonlTask(file=str(file)).load().name == "mine"


@pytest.mark.parametrize(
    ("row", "says", "hint"),
    [
        ({**CHECK, "promt": ""}, "unknown field 'promt'", "did you mean 'prompt'?"),
        ({"task_id": "x", "prompt": "p"}, "no 'canonical_solution'", "e.g. {"),
        ({**CHECK, "task_id": 3}, "'task_id': Input should be a valid string", ""),
        ({**CHECK, "style": "chek"}, "'style'", ""),
        ({**CHECK, "test": "def check(:"}, "its test is not Python", ""),
        ({**CHECK, "test": "assert f(1)"}, 'did you mean "style": "asserts"?', ""),
        ({**CHECK, "entry_point": ""}, "needs an entry_point", ""),
        ({**CHECK, "before_middle": "\n"}, "are for infilling", ""),
        ({**EXACT, "task_id": "y"}, "has a suffix", "a file of each kind"),
        ({**CHECK, "task_id": "y", "test": ""}, r"has none \(exact match\)", "a file of each"),
        (CHECK, "has the problem 'mine/0' twice", ""),
        ([CHECK], "is not a JSON object", ""),
    ],
)
def test_a_line_that_is_no_problem_is_named(tmp_path: Path, row: Any, says: str, hint: str) -> None:
    import re

    with pytest.raises(DataError) as error:
        load(tmp_path, CHECK, row)
    assert re.search(says.replace("?", r"\?"), error.value.message)
    assert hint in error.value.hint
    assert "line 2" in error.value.message or "twice" in error.value.message


def test_a_file_without_problems_says_how_one_looks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no problems") as error:
        load(tmp_path)
    example = error.value.hint.partition("e.g. ")[2]
    assert load(tmp_path, json.loads(example)).metrics == ("whole-text", "edit-similarity")


@pytest.mark.parametrize(
    ("task", "there"),
    [("mine.jsonl", True), ("mine.jsonl.gz", True), ("a/mine", True), ("humaneval+", False)],
)
def test_a_file_is_told_from_a_name(task: str, there: bool) -> None:
    assert is_file(task) is there


def test_the_task_needs_a_file() -> None:
    with pytest.raises(ConfigError, match="needs a file"):
        JsonlTask().load()
