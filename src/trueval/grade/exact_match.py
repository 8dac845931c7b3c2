"""Comparing a middle with the true one, by rules that have names and sources.

Equal text is a sign of a right answer and no proof: a right line that is spelled otherwise counts
as wrong under every rule here but `edit-similarity`, which is no verdict at all. Where a benchmark
has tests, they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from trueval.protocols import Grader
from trueval.types import Failure, Grade, Metric, Program, Reference

Rule = Callable[[str, str], float]


def first_line(middle: str, true: str) -> float:
    """Whether the first line is the true middle, white space around either aside.

    Of a text that starts with a newline, or a space and a newline, it is the second line. Source:
    `evaluate_results` in hm_fim/humaneval_fim.py of Qwen2.5-Coder, and eval_infill of Open-dLLM.
    """
    lines = middle.split("\n")
    line = lines[1] if middle.startswith(("\n", " \n")) else lines[0]
    return float(line.strip() == true.strip())


def whole_text(middle: str, true: str) -> float:
    """Whether the two are the same, white space around either aside.

    Source: the tasks santacoder_fim and starcoder_fim of bigcode-evaluation-harness, which compare
    all that a model wrote. Here it is what the pipeline put into the hole: after a step that keeps
    one line this is kinder than the source.
    """
    return float(middle.strip() == true.strip())


def line_with_indent(middle: str, true: str) -> float:
    """Whether the two are the same character by character, one newline at the end aside. Ours."""
    return float(middle.removesuffix("\n") == true.removesuffix("\n"))


def edit_similarity(middle: str, true: str) -> float:
    """1 - Levenshtein distance / length of the longer, white space around either aside.

    Source: RepoEval (Zhang et al. 2023), as `cal_edit_sim_repoeval` of Qwen2.5-Coder has it.
    """
    from rapidfuzz.distance import Levenshtein  # on first use: most runs compare nothing

    return float(Levenshtein.normalized_similarity(middle.strip(), true.strip()))


RULES: Mapping[Metric, Rule] = {
    "first-line": first_line,
    "whole-text": whole_text,
    "line-with-indent": line_with_indent,
    "edit-similarity": edit_similarity,
}


def compare(middle: str, reference: Reference, metrics: Sequence[Metric]) -> dict[str, float]:
    """Metric -> how well the middle is the true one, in [0, 1]; `pass` compares nothing."""
    return {
        metric: RULES[metric](middle, reference.canonical_solution)
        for metric in metrics
        if metric != "pass"
    }


class InfillGrader:
    """Runs tests where a task has them, and compares middles as the task's metrics say.

    The verdict is that of the tests whenever they were run. Without tests it is that of the first
    metric: `passed` then means that the text is the true one by that rule, and `wrong` that it is
    another one, which may work as well. Such a grade has run nothing, and no score made of it may
    be called a pass rate: reports name the metric.
    """

    name = "infill"

    def __init__(self, inner: Grader | None, *, metrics: Sequence[Metric]) -> None:
        """`inner` runs the tests; None for a task that has none. `metrics`: the headline first."""
        if not metrics or (inner is None and all(metric == "pass" for metric in metrics)):
            raise ValueError("nothing to grade by: neither tests to run nor a metric to compare")
        self.inner = inner
        self.metrics = tuple(metrics)
        self.concurrency = inner.concurrency if inner else 1

    async def open(self) -> Mapping[str, Any]:
        """Start the inner grader, and say what is compared beside it."""
        ran: Mapping[str, Any] = await self.inner.open() if self.inner else {"isolation": "none"}
        compared = [metric for metric in self.metrics if metric != "pass"]
        return {**ran, "grading": ran.get("grading", "compared"), "compared": compared}

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        """The verdict, with every other metric beside it."""
        if program.middle is None and not (self.inner is not None and self._runs(reference)):
            message = f"{reference.problem_id}: a whole program, and no middle to compare"
            return Failure(stage="grade", message=message)
        matches: dict[str, float] = {}
        if program.middle is not None:
            matches = compare(program.middle, reference, self.metrics)
        if self.inner is not None and self._runs(reference):
            grade = await self.inner.grade(program, reference, alone=alone)
            return replace(grade, matches=matches) if isinstance(grade, Grade) else grade
        return self._compared(program, matches)

    async def close(self) -> None:
        """Close the inner grader. Safe to call twice."""
        if self.inner is not None:
            await self.inner.close()

    def _runs(self, reference: Reference) -> bool:
        has_tests = bool(reference.test.strip()) or reference.inputs is not None
        return "pass" in self.metrics and has_tests

    def _compared(self, program: Program, matches: Mapping[str, float]) -> Grade:
        if not program.source.strip():
            return Grade(verdict="no_code", cause="no-code", matches=matches)
        if not matches:
            return Grade(verdict="error", cause="no-tests", detail="no tests, and nothing compared")
        rule, match = next(iter(matches.items()))
        verdict: Literal["passed", "wrong"] = "passed" if match == 1 else "wrong"
        # The true text is not told: a detail is read by whoever tunes, too.
        detail = "" if match == 1 else f"not the true text ({rule})"
        cause: Literal["", "wrong"] = "" if match == 1 else "wrong"
        return Grade(verdict=verdict, cause=cause, detail=detail, matches=matches)
