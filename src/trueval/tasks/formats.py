"""The formats that benchmarks are published in, all read as JSON Lines."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trueval.errors import DataError, MissingExtraError
from trueval.tasks.rows import read_rows, write_rows


def is_file(task: str) -> bool:
    """Whether what stands for a task is a user's file, and no name."""
    return task.endswith((".jsonl", ".jsonl.gz")) or "/" in task


def read_file(file: str | Path) -> bytes:
    """A user's file, as it is. Raises `DataError` when it cannot be read."""
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}", hint="check the path") from error


def as_lines(content: bytes, *, columns: Sequence[str] = (), where: str) -> bytes:
    """JSON Lines, from JSON Lines, a JSON array or parquet, gzip'd or not.

    With `columns` each row has these and no others, in this order, by the defaults of
    `json.dumps`: the same rows are then the same bytes, whatever they came in.
    """
    content = _unpacked(content, where)
    if content[:4] == b"PAR1":
        rows = _parquet(content, where)
    elif content.lstrip()[:1] == b"[":
        rows = _array(content, where)
    elif columns:
        rows = read_rows(content, where=where, needs=columns)
    else:
        return content
    missing = [name for name in columns if any(name not in row for row in rows)]
    if missing:
        raise DataError(f"{where} has rows without {', '.join(missing)}: is it another's file?")
    return write_rows({name: row[name] for name in columns or row} for row in rows)


def _unpacked(content: bytes, where: str) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{where} is a damaged gzip file: {error}", hint="fetch it again"
        ) from error


def _array(content: bytes, where: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(content)
    except ValueError as error:
        raise DataError(f"{where} is neither JSON nor JSON Lines: {error}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{where} is no array of objects")
    return list(rows)


def _parquet(content: bytes, where: str) -> list[dict[str, Any]]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", extra="hub", needed_for="reading parquet") from error
    try:
        return list(parquet.read_table(io.BytesIO(content)).to_pylist())
    except (OSError, ValueError) as error:  # what pyarrow raises for a damaged file
        raise DataError(f"{where} is damaged parquet: {error}", hint="fetch it again") from error
