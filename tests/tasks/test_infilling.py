"""The infilling sets against the official files, and every true middle against the grader."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.tasks.references import SHARED, failing, whole
from trueval.errors import DataError
from trueval.tasks import sources
from trueval.tasks.humaneval import HumanEval, humaneval_lines
from trueval.tasks.infilling import (
    MultiLine,
    RandomSpan,
    RandomSpanLight,
    SingleLine,
    derived_lines,
    multi_lines,
    single_lines,
)
from trueval.tasks.rows import sha256

OFFICIAL_SINGLE = SHARED / "HumanEval-SingleLineInfilling.jsonl.gz"
OFFICIAL_LIGHT = SHARED / "HumanEval-RandomSpanInfillingLight.jsonl.gz"


@pytest.mark.parametrize(
    ("task", "cuts", "count", "hole"),
    [(SingleLine, single_lines, 1033, "line"), (MultiLine, multi_lines, 5815, "lines")],
)
def test_what_is_made_of_humaneval_is_the_official_file(
    task: type[SingleLine | MultiLine], cuts: object, count: int, hole: str
) -> None:
    assert sha256(derived_lines(cuts)) == task.sha256  # type: ignore[arg-type]
    data = task().load()
    assert (len(data.problems), data.hole, data.kind) == (count, hole, "infilling")
    assert data.digest == task.sha256


@pytest.mark.skipif(not OFFICIAL_SINGLE.exists(), reason="no official file beside the checkout")
def test_the_official_file_and_the_derived_one_are_the_same_task() -> None:
    official = gzip.decompress(OFFICIAL_SINGLE.read_bytes())
    assert derived_lines(single_lines) == official
    assert SingleLine(file=str(OFFICIAL_SINGLE)).load().problems == SingleLine().load().problems


@pytest.mark.parametrize("make", [SingleLine, MultiLine])
def test_each_hole_leaves_the_solution_whole_when_it_is_filled(
    make: type[SingleLine | MultiLine],
) -> None:
    data = make().load()
    bodies = {
        row["prompt"] + row["canonical_solution"]: row["prompt"]
        for row in map(json.loads, humaneval_lines().splitlines())
    }
    for problem in data.problems:
        reference = data.references[problem.problem_id]
        text = whole(problem, reference.canonical_solution)
        # A middle that starts at the first line has a blank line more before it, and a middle at
        # the end a newline more after it: so it is published.
        near = {text, text.removesuffix("\n")}
        near |= {reference.prelude + one[len(reference.prelude) + 1 :] for one in near}
        assert near & bodies.keys(), problem.problem_id


def test_blank_lines_are_no_holes_and_comments_are() -> None:
    row = {
        "task_id": "T/0",
        "entry_point": "f",
        "prompt": "def f():\n",
        "canonical_solution": "    # why\n   \n\n    return 1\n",
        "test": "",
    }
    assert [cut["task_id"][-2:] for cut in single_lines(row)] == ["L0", "L3"]
    names = [cut["task_id"].rsplit("/", 1)[1] for cut in multi_lines(row)]
    assert names == ["L0_L0", "L0_L3", "L3_L3"]
    [first, last] = single_lines(row)
    assert (first["prompt"], first["suffix"]) == ("def f():\n\n", "   \n\n    return 1\n")
    assert (last["canonical_solution"], last["suffix"]) == ("    return 1\n", "")


def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "single.jsonl"
    file.write_bytes(derived_lines(single_lines)[:-1])
    with pytest.raises(DataError, match=r"not humaneval-infill-single as published"):
        SingleLine(file=str(file)).load()


@pytest.mark.skipif(not OFFICIAL_LIGHT.exists(), reason="no official file beside the checkout")
def test_the_light_spans_are_loaded_from_a_file_as_published() -> None:
    data = RandomSpanLight(file=str(OFFICIAL_LIGHT)).load()
    assert (len(data.problems), data.hole) == (164, "span")
    assert data.digest == sources.RANDOM_SPAN_LIGHT.sha256
    rows = map(json.loads, gzip.decompress(OFFICIAL_LIGHT.read_bytes()).splitlines())
    for row, problem in zip(rows, data.problems, strict=True):
        assert (problem.prefix, problem.suffix) == (row["prompt"], row["suffix"])


@pytest.mark.skipif(not OFFICIAL_LIGHT.exists(), reason="no official file beside the checkout")
def test_the_helpers_of_a_span_s_tests_are_its_own_and_hold_no_solution() -> None:
    data = RandomSpanLight(file=str(OFFICIAL_LIGHT)).load()
    helpers = {id_: reference.prelude for id_, reference in data.references.items()}
    assert "def poly(" in helpers["RandomSpanInfillingLight/HumanEval/32/1"]
    for problem in data.problems:
        assert f"def {problem.entry_point}(" not in helpers[problem.problem_id]


def test_what_is_known_of_the_random_spans_digest_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text('{"task_id": "x"}\n')
    with pytest.raises(DataError, match=r"SHA-256 [0-9a-f]{16}\.\.\., not 4f15be2d\.\.\."):
        RandomSpan(file=str(file)).load()
    assert "the rest unknown" in sources.RANDOM_SPAN.provenance()


def test_helpers_of_tests_come_from_humaneval_s_prompt() -> None:
    prompts = {problem.problem_id: problem.prefix for problem in HumanEval().load().problems}
    for data in (SingleLine().load(), MultiLine().load()):
        for reference in data.references.values():
            number = reference.problem_id.split("/")[2]
            assert reference.prelude == prompts[f"HumanEval/{number}"]


# --------------------------------------------------------------------------- the grader


def test_every_single_line_middle_passes() -> None:
    assert failing(SingleLine().load()) == {}


@pytest.mark.skipif(not OFFICIAL_LIGHT.exists(), reason="no official file beside the checkout")
def test_every_light_span_passes() -> None:
    assert failing(RandomSpanLight(file=str(OFFICIAL_LIGHT)).load()) == {}


@pytest.mark.skipif(
    "TRUEVAL_SLOW" not in os.environ, reason="takes a minute; TRUEVAL_SLOW=1 runs it"
)
def test_every_multi_line_middle_passes() -> None:
    assert failing(MultiLine().load()) == {}
