"""Layouts to read and to compute with: a Markdown table, and one row a sample in parquet."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from trueval.errors import MissingExtraError
from trueval.experiment.export import Export
from trueval.report.markdown import render_markdown
from trueval.types import Completion, Failure, Grade, Sample, to_json

BATCH = 1000
"""Rows that are in memory at a time."""

COLUMNS = {
    **dict.fromkeys(("run", "task", "problem_id"), "string"),
    "sample_index": "int32",
    **dict.fromkeys(("model", "prompt", "params", "completion", "finish_reason"), "string"),
    **dict.fromkeys(("prompt_tokens", "completion_tokens"), "int64"),
    "generation_s": "float64",
    **dict.fromkeys(("program", "middle", "edits"), "string"),
    "passed": "bool",
    **dict.fromkeys(("verdict", "cause", "detail", "trust"), "string"),
    "grading_s": "float64",
    "matches": "string",
    "trusted": "bool",
    **dict.fromkeys(("assists", "key"), "string"),
}
"""Name -> type. `prompt`, `params`, `edits`, `matches` and `assists` hold JSON."""


def markdown(export: Export) -> list[Path]:
    """`table.md`: scores with their intervals, outcomes, and where they are from."""
    with export.writing("table.md") as file:
        file.write_text(render_markdown(export.summary()), "utf-8", "xmlcharrefreplace")
    return [export.folder / "table.md"]


def parquet(export: Export) -> list[Path]:
    """`samples.parquet`: one row a sample, infra included, and the manifest in its metadata."""
    try:
        pa: Any = importlib.import_module("pyarrow")
        pq: Any = importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", extra="hub", needed_for="writing parquet") from error
    types = {"bool": "bool_"}
    fields = [(name, getattr(pa, types.get(kind, kind))()) for name, kind in COLUMNS.items()]
    manifest = json.dumps(to_json(export.run.manifest)).encode()
    schema = pa.schema(fields, metadata={b"trueval.manifest": manifest})
    rows = (_row(export, sample) for sample in export.run.samples())
    with export.writing("samples.parquet") as file, pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(rows, BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return [export.folder / "samples.parquet"]


def _row(export: Export, sample: Sample) -> dict[str, Any]:
    program, grade = export.graded(sample)
    request = sample.request
    found = {
        "run": export.run.name,
        "task": export.run.manifest["data"].get("task"),
        "problem_id": request.problem_id,
        "sample_index": request.sample_index,
        "model": request.model,
        "prompt": json.dumps(to_json(request.prompt)),
        "params": json.dumps(to_json(request.params)),
        **_completed(sample.completion),
        "program": program.source if program else None,
        "middle": program.middle if program else None,
        "edits": json.dumps(program.edits if program else ()),
        **dict(_verdict(grade)),
        "trusted": export.trusted,
        "assists": json.dumps(export.assists),
        "key": request.key,
    }
    return {name: _text(value) for name, value in found.items()}


def _completed(completion: Completion | Failure) -> dict[str, Any]:
    if isinstance(completion, Failure):
        return {}
    return {
        "completion": completion.text,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "generation_s": completion.duration_s,
    }


def _verdict(grade: Grade | Failure | None) -> Iterator[tuple[str, Any]]:
    """The columns of a verdict. `passed` is null without one, so a mean does not count it."""
    if isinstance(grade, Grade):
        yield "passed", grade.passed
        yield "verdict", grade.verdict
        yield "cause", grade.cause
        yield "detail", grade.detail
        yield "trust", grade.trust
        yield "grading_s", grade.duration_s
        yield "matches", json.dumps(dict(grade.matches))
    else:
        yield "verdict", "infra" if grade else "missing"
        yield "detail", f"{grade.stage}: {grade.message}" if grade else "not graded"


def _text(value: Any) -> Any:
    # Parquet's text is UTF-8, and a model can write a lone surrogate, which is not.
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
