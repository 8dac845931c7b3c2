"""What a grader makes of middles that were changed mechanically, and of answers without a model.

Every line of HumanEval's single-line infilling set is changed in one way, put into its hole as it
is (`none`) or through trueval's own pipeline (`default`), and graded. Writes
results/infilling.json, which the docs quote.

    python benchmarks/infilling.py [--limit N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trueval.grade.exact_match import InfillGrader
from trueval.grade.functional import FunctionalGrader
from trueval.honesty.floor import null_floor
from trueval.postprocess.middle import INFILL_NONE, for_hole
from trueval.tasks.infilling import SingleLine
from trueval.types import Grade, Problem, TaskData, to_json

RESULTS = Path(__file__).with_name("results") / "infilling.json"

Variant = Callable[[Problem, str], str]
VARIANTS: Mapping[str, Variant] = {
    "the true middle": lambda _, true: true,
    "without its final newline": lambda _, true: true.removesuffix("\n"),
    "stripped": lambda _, true: true.strip(),
    "de-indented": lambda _, true: true.lstrip(" "),
    "a newline before it": lambda _, true: "\n" + true,
    "an extra newline after it": lambda _, true: true + "\n",
    "and the suffix once more": lambda problem, true: true + problem.suffix,
    "and one more line of the suffix": lambda problem, true: (
        true + problem.suffix.split("\n")[0] + "\n"
    ),
    "an end token after it": lambda _, true: true + "<|endoftext|>",
}
PIPELINES = {"none": INFILL_NONE, "default": for_hole("line", chat=False)}


async def main(limit: int | None) -> None:
    """Grade all variants, print the table and write it down."""
    task = SingleLine().load()
    problems = task.problems[:limit]
    grader = InfillGrader(FunctionalGrader(), metrics=task.metrics)
    isolation = await grader.open()
    found: dict[str, Any] = {"task": task.name, "digest": task.digest, "problems": len(problems)}
    try:
        found["variants"] = {
            name: {post: await passed(task, problems, variant, post, grader) for post in PIPELINES}
            for name, variant in VARIANTS.items()
        }
        found["floor"] = to_json(await null_floor(task, grader, isolation=isolation))
    finally:
        await grader.close()
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


async def passed(
    task: TaskData, problems: tuple[Problem, ...], variant: Variant, post: str, grader: InfillGrader
) -> dict[str, int]:
    """Metric -> how many of the changed middles are right by it."""
    owed = iter(problems)
    counts: dict[str, int] = dict.fromkeys(task.metrics[:-1], 0)  # the last is a similarity

    async def work() -> None:
        for problem in owed:
            reference = task.references[problem.problem_id]
            text = variant(problem, reference.canonical_solution)
            grade = await grader.grade(PIPELINES[post](text, problem)[0], reference)
            assert isinstance(grade, Grade), grade
            for metric in counts:
                counts[metric] += int(
                    grade.passed if metric == "pass" else grade.matches[metric] == 1
                )

    await asyncio.gather(*(work() for _ in range(2 * grader.concurrency)))
    shown = ", ".join(f"{metric} {n}" for metric, n in counts.items())
    name = next(name for name, one in VARIANTS.items() if one is variant)
    print(f"{name:32} {post:8} {shown}", flush=True)
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, help="only the first so many problems")
    asyncio.run(main(parser.parse_args().limit))
