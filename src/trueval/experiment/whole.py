"""Tells a run that is whole once more: nothing is drawn, graded or written for it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import trueval
from trueval import registry
from trueval.experiment.manifest import machine, versions
from trueval.experiment.plan import Plan, asked
from trueval.honesty.controls import code_digest
from trueval.report.summary import Summary
from trueval.types import digest_of, to_json

MARK = ".whole"
"""In a run's folder: a digest of the run's files, and of everything that they were made of."""
FILES = ("manifest.json", "samples.jsonl", "estimates.json", "report.html")
READ = (".py", ".yml", ".jsonl", ".html", ".css", ".js")
"""Files of ours that can change what is reported."""


def is_whole(summary: Mapping[str, Any]) -> bool:
    """Whether every sample of a run has a verdict."""
    outcomes = summary["raw"]["outcomes"]
    return not (outcomes["infra"] or outcomes["missing"])


def told_again(plan: Plan, folder: Path, *, force: bool) -> Summary | None:
    """The facts of the run that is asked for, where it is finished; else None.

    Only when nothing has changed since they were written: settings, data, model, trueval's code,
    versions and machine, or a byte of the run's files. Then its controls, its lint and its report
    would come out as they are there. Trackers are to be told of every run, so it is made again.
    """
    if plan.config.track:
        return None
    try:
        if (folder / MARK).read_text("ascii") != _digest(plan, folder, force=force):
            return None
        facts: Summary = json.loads((folder / "estimates.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    facts["run_dir"] = str(folder)  # it may have been moved since
    return facts


def mark(plan: Plan, folder: Path, summary: Summary, *, force: bool) -> None:
    """Have the run told again next time, if it is whole."""
    if not is_whole(summary):
        return
    # Not written: the next time the run is resumed, with nothing to draw.
    try:
        (folder / MARK).write_text(_digest(plan, folder, force=force), "ascii")
    except OSError:
        return


def _digest(plan: Plan, folder: Path, *, force: bool) -> str:
    config = plan.config
    fim = Path(config.fim).read_text("utf-8") if Path(config.fim).is_file() else ""
    grader = registry.resolve("graders", config.grading.grader).__module__
    return digest_of(
        [
            [plan.identity(), asked(config), config.k, config.tried, fim, force],
            [to_json(plan.model), plan.assists, plan.lengths, plan.problems_of],
            [versions(), machine(), _own_code(), code_digest(grader)],
            [_file_digest(folder / name) for name in FILES],
        ]
    )


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:  # in pieces: samples may be many
        return hashlib.file_digest(file, "sha256").hexdigest()


def _own_code() -> str:
    total = hashlib.sha256()
    for path in _own_files():
        total.update(str(path).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _own_files() -> Iterator[Path]:
    root = Path(trueval.__file__).parent
    return (path for path in sorted(root.rglob("*")) if path.suffix in READ)
