"""Reads the samples: each file is one program, its leading comments say what must hold.

    # problem: Attack/add      one of `problems.py`, or `every` for all that attacks are graded on
    # trick: what it tries     (`why:` in the legitimate ones)
    # verdict: not passed      or the verdicts that are right: crashed | error
    # host: canary intact      what must hold of the machine afterwards
    # needs: isolation         only run where this is given
    # expand: "(" * 100_000    an expression whose value stands for every @@ below

`@CANARY@`, `@PORT@` and the like in a program stand for what the test has prepared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.grade.attacks.problems import EVERY

FOLDER = Path(__file__).parent
NOT_SAMPLES = {"__init__", "problems", "samples"}
FIELD = re.compile(r"# (problem|trick|why|verdict|host|needs|expand): (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One program, and what must hold of it."""

    name: str
    body: str
    problems: tuple[str, ...]
    trick: str
    verdicts: frozenset[str]
    """The verdicts that are right; empty for anything but `passed`."""
    host: str
    needs: str

    def accepts(self, verdict: str) -> bool:
        """Whether a verdict is one of the right ones."""
        return verdict in self.verdicts if self.verdicts else verdict != "passed"

    def source(self, prepared: Mapping[str, str]) -> str:
        """The program, with what was prepared for it filled in."""
        text = self.body
        for name, value in prepared.items():
            text = text.replace(f"@{name}@", value)
        return text


def attacks() -> list[Attack]:
    """All hostile samples."""
    return [read(path) for path in sorted(FOLDER.glob("*.py")) if path.stem not in NOT_SAMPLES]


def legitimate() -> list[Attack]:
    """All unusual samples that are right."""
    return [read(path) for path in sorted((FOLDER / "legitimate").glob("*.py"))]


def read(path: Path) -> Attack:
    """One file as a sample. Raises `ValueError` when its header lacks something."""
    text = path.read_text(encoding="utf-8")
    header = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if field := FIELD.fullmatch(line):
            header[field[1]] = field[2]
    missing = {"problem", "verdict"} - set(header)
    if missing or not {"trick", "why"} & set(header):
        raise ValueError(f"{path.name}: no {', '.join(missing) or 'trick'} in the header")
    if "expand" in header:
        # The line itself goes, or what it stands for would be in the program twice.
        text = text.replace(f"# expand: {header['expand']}\n", "")
        text = text.replace("@@", eval(header["expand"], {}))
    verdict = header["verdict"]
    return Attack(
        name=path.stem,
        body=text,
        problems=EVERY if header["problem"] == "every" else (header["problem"],),
        trick=header.get("trick") or header["why"],
        verdicts=frozenset() if verdict == "not passed" else frozenset(verdict.split(" | ")),
        host=header.get("host", ""),
        needs=header.get("needs", ""),
    )
