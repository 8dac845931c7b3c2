"""Comparing middles: each rule against its source's examples, and the verdicts made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueval.grade.exact_match import RULES, InfillGrader, compare
from trueval.protocols import Grader
from trueval.types import Failure, Grade, Metric, Program, Reference

TRUE = "    x = f(1)\n"
REFERENCE = Reference(
    problem_id="p", entry_point="f", test="def check(f): ...", canonical_solution=TRUE
)
NO_TESTS = Reference(problem_id="p", entry_point="f", test="", canonical_solution=TRUE)
ALL: tuple[Metric, ...] = ("first-line", "whole-text", "line-with-indent", "edit-similarity")


@pytest.mark.parametrize(
    ("middle", "first", "whole", "strict"),
    [
        (TRUE, 1, 1, 1),
        ("    x = f(1)", 1, 1, 1),
        ("x = f(1)", 1, 1, 0),
        ("x = f(1)  \n\n", 1, 1, 0),
        ("\n    x = f(1)\n", 1, 1, 0),
        (" \n    x = f(1)\n    y = 2\n", 1, 0, 0),
        ("    x = f(1)\n    y = 2\n", 1, 0, 0),
        ("\n\n    x = f(1)\n", 0, 1, 0),  # the second line is empty: the source's rule, kept
        ("  \n    x = f(1)\n", 0, 1, 0),
        ("    x = f(2)\n", 0, 0, 0),
        ("    x=f(1)\n", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_the_rules_say_what_their_sources_say(
    middle: str, first: int, whole: int, strict: int
) -> None:
    found = compare(middle, NO_TESTS, ("pass", *ALL[:3]))
    assert found == {"first-line": first, "whole-text": whole, "line-with-indent": strict}


def distance(a: str, b: str) -> int:
    """Levenshtein by its definition, slowly."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


@given(st.text("ab \n", max_size=12), st.text("ab \n", max_size=12))
def test_edit_similarity_is_one_less_the_distance_over_the_longer(a: str, b: str) -> None:
    left, right = a.strip(), b.strip()
    longer = max(len(left), len(right))
    expected = 1 - distance(left, right) / longer if longer else 1.0
    assert RULES["edit-similarity"](a, b) == pytest.approx(expected)


@given(st.text(max_size=40))
def test_every_rule_is_one_for_the_true_text_and_stays_between_zero_and_one(text: str) -> None:
    reference = Reference(problem_id="p", entry_point="f", test="", canonical_solution=text)
    same = compare(text, reference, ALL)
    if "\n" not in text:
        assert same["first-line"] == 1.0
    assert same["whole-text"] == same["line-with-indent"] == same["edit-similarity"] == 1.0
    assert all(0 <= value <= 1 for value in compare(text, NO_TESTS, ALL).values())


# --------------------------------------------------------------------------- the grader


class Runs:
    """An inner grader that answers what it was told to."""

    name = "runs"
    concurrency = 3

    def __init__(self, answer: Grade | Failure) -> None:
        self.answer = answer
        self.graded = self.closed = 0

    async def open(self) -> Mapping[str, Any]:
        return {"grading": "split", "isolation": "full"}

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        self.graded += 1
        return self.answer

    async def close(self) -> None:
        self.closed += 1


def program(middle: str | None = TRUE, source: str = "x") -> Program:
    return Program(source=source, middle=middle)


async def test_tests_decide_where_there_are_some() -> None:
    inner = Runs(Grade(verdict="passed"))
    grader = InfillGrader(inner, metrics=("pass", "line-with-indent"))
    assert isinstance(grader, Grader)
    assert await grader.open() == {
        "grading": "split",
        "isolation": "full",
        "compared": ["line-with-indent"],
    }
    grade = await grader.grade(program("    x = f(2 - 1)\n"), REFERENCE)
    assert grade == Grade(verdict="passed", matches={"line-with-indent": 0.0})
    assert (inner.graded, grader.concurrency) == (1, 3)
    await grader.close()
    assert inner.closed == 1


async def test_a_failure_of_the_inner_grader_stays_one() -> None:
    failed = Failure(stage="grade", message="no worker")
    grader = InfillGrader(Runs(failed), metrics=("pass", "whole-text"))
    assert await grader.grade(program(), REFERENCE) is failed


@pytest.mark.parametrize(
    ("middle", "verdict"), [(TRUE, "passed"), ("x = f(1)", "passed"), ("x = f(2)", "wrong")]
)
async def test_without_tests_the_first_metric_is_the_verdict(middle: str, verdict: str) -> None:
    grader = InfillGrader(None, metrics=("first-line", "line-with-indent"))
    assert (await grader.open())["grading"] == "compared"
    grade = await grader.grade(program(middle), NO_TESTS)
    assert isinstance(grade, Grade)
    assert grade.verdict == verdict
    assert set(grade.matches) == {"first-line", "line-with-indent"}
    assert TRUE.strip() not in grade.detail, "a detail is no way to the answer"
    await grader.close()


async def test_similar_is_not_passed() -> None:
    grader = InfillGrader(None, metrics=("edit-similarity",))
    grade = await grader.grade(program("    x = f(2)\n"), NO_TESTS)
    assert isinstance(grade, Grade)
    assert grade.verdict == "wrong"
    assert grade.matches["edit-similarity"] == pytest.approx(7 / 8)


async def test_an_empty_answer_is_no_code() -> None:
    grader = InfillGrader(None, metrics=("first-line",))
    grade = await grader.grade(program("", source=""), NO_TESTS)
    assert grade == Grade(verdict="no_code", cause="no-code", matches={"first-line": 0.0})


async def test_tests_are_not_run_for_a_task_that_does_not_measure_them() -> None:
    inner = Runs(Grade(verdict="passed"))
    grader = InfillGrader(inner, metrics=("first-line",))
    grade = await grader.grade(program("no"), REFERENCE)
    assert isinstance(grade, Grade)
    assert (grade.verdict, inner.graded) == ("wrong", 0)


@pytest.mark.parametrize("metrics", [(), ("pass",)])
def test_a_grader_that_could_decide_nothing_is_not_made(metrics: tuple[Metric, ...]) -> None:
    with pytest.raises(ValueError, match="nothing to grade by"):
        InfillGrader(None, metrics=metrics)


async def test_a_whole_program_can_be_run_and_not_compared() -> None:
    nothing_runs = InfillGrader(None, metrics=("first-line",))
    failure = await nothing_runs.grade(program(None), NO_TESTS)
    assert isinstance(failure, Failure) and "no middle to compare" in failure.message
