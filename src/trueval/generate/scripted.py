"""The shipped fake: answers from a file, for tests, docs and trying things out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from trueval.errors import DataError
from trueval.stops import cut_at_stop
from trueval.types import Completion, Failure, Mode, Request, digest_of


class ScriptedBackend:
    """Answers that were written beforehand: JSON Lines of `problem_id` and `text`.

    `model` is the file's path, or `demo` for the answers that ship with the demo task: six right
    ones and two wrong. A problem with several lines gets them in turn by sample index, a problem
    with none an empty answer. A line with `failure` in place of `text` fails as a server would.
    """

    name = "scripted"
    shares_cores = False

    def __init__(
        self,
        *,
        model: str = "demo",
        mode: Mode | None = None,
        concurrency: int = 8,
        delay_s: float = 0.0,
    ) -> None:
        self.model = model
        self.mode: Mode = mode or "completion"
        self.concurrency = concurrency
        self.delay_s = delay_s
        self._answers: dict[str, list[Mapping[str, Any]]] = {}

    async def open(self) -> Mapping[str, Any]:
        """Read the script. Raises `DataError` with the line that is wrong."""
        raw = self._read()
        for number, line in enumerate(raw.split("\n"), 1):
            if line.strip():
                row = self._row(line, number)
                self._answers.setdefault(row["problem_id"], []).append(row)
        return {
            "id": self.model,
            "revision": digest_of(raw)[:12],
            "pinned": True,
            "mode": self.mode,
            "engine": "scripted",
        }

    async def why_not_infill(self) -> str:
        """Nothing: what was written beforehand fills any hole."""
        return ""

    async def draw(self, request: Request) -> Completion | Failure:
        """The written answer, cut at the stop sequences as a server would."""
        await asyncio.sleep(self.delay_s)
        rows = self._answers.get(request.problem_id, [{"text": ""}])
        row = rows[request.sample_index % len(rows)]
        if "failure" in row:
            return Failure(stage="generate", message=row["failure"], retryable=True)
        text = cut_at_stop(row["text"], request.params.stop)
        return Completion(
            text=text,
            prompt_tokens=0,
            completion_tokens=len(text.split()),  # words: a script has no tokenizer
            duration_s=self.delay_s,
        )

    async def close(self) -> None:
        """Nothing to let go of."""

    def _read(self) -> str:
        if self.model == "demo":
            return resources.files("trueval.generate").joinpath("demo.jsonl").read_text("utf-8")
        try:
            return Path(self.model).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"cannot read the script {self.model!r}: {error}",
                hint='a script is JSON Lines: {"problem_id": "Demo/0", "text": "    return 1"}',
            ) from error

    def _row(self, line: str, number: int) -> Mapping[str, Any]:
        try:
            row = json.loads(line)
            if isinstance(row["problem_id"], str) and isinstance(
                row.get("failure", row.get("text")), str
            ):
                return dict(row)
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise DataError(
            f"{self.model}, line {number}: not a scripted answer",
            hint='each line is {"problem_id": "Demo/0", "text": "    return 1"}',
        )
