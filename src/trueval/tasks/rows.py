"""Rows in HumanEval's format to problems and references."""

from __future__ import annotations

import hashlib
import json

from trueval.types import Problem, Reference, TaskData

COMPLETION_STOP = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```")
"""Where a completion leaves its function: the stop sequences of bigcode-evaluation-harness; the
Codex paper's five (Chen et al. 2021) are among them."""


def completion_task(raw: bytes, *, name: str, source: str, license: str) -> TaskData:
    """A completion benchmark from its JSON Lines as published (HumanEval's fields)."""
    rows = [json.loads(line) for line in raw.decode().split("\n") if line.strip()]
    return TaskData(
        name=name,
        kind="completion",
        problems=tuple(
            Problem(problem_id=row["task_id"], prefix=row["prompt"], entry_point=row["entry_point"])
            for row in rows
        ),
        references={
            row["task_id"]: Reference(
                problem_id=row["task_id"],
                entry_point=row["entry_point"],
                test=row["test"],
                canonical_solution=row["canonical_solution"],
                prelude=row["prompt"],
            )
            for row in rows
        },
        digest=hashlib.sha256(raw).hexdigest(),
        source=source,
        license=license,
        stop=COMPLETION_STOP,
    )
