"""A folder of documents to a tokenizer and token files, with a record of what they were made of."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trueval.errors import DataError
from trueval.tuning import tokenizer
from trueval.tuning.dataset import SPLITS, texts_of, write_tokens


def make_tokens(
    data: Path,
    out: Path,
    *,
    vocabulary: int,
    sample_bytes: int,
    workers: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Learn tokenizer.json from the train split of `data`, encode all splits; facts of it.

    `out` may be another folder, so that one corpus serves several vocabularies: NOTICE and
    manifest.json go along.
    """
    out.mkdir(parents=True, exist_ok=True)
    size = sum(len(text) for text in texts_of(data, "train"))
    if not size:
        raise DataError(f"{data} has no documents to learn from", hint="trueval train data")
    stride = -(-size // sample_bytes)
    say(f"learning {vocabulary} tokens from {size / stride / 1e6:.0f} MB")
    # The record goes first and comes back last: without it, no training takes what lies here.
    record = out / "tokens" / "manifest.json"
    record.unlink(missing_ok=True)
    made = out / "tokenizer.json"
    with _beside(made) as path:
        learned = tokenizer.train(_every(texts_of(data, "train"), stride), vocabulary=vocabulary)
        learned.save(path)
        counts = {}
        for split in SPLITS:
            say(f"encoding {split}")
            documents, tokens = write_tokens(data, split, path, out, workers=workers)
            counts[split] = {"documents": documents, "tokens": tokens}
    if out.resolve() != data.resolve():
        for name in ("NOTICE", "manifest.json"):
            if (data / name).exists():
                shutil.copyfile(data / name, out / name)
    facts = {
        "vocabulary": vocabulary,
        "learned_from_mb": round(size / stride / 1e6),
        "bytes_per_token": round(_bytes_per_token(data, counts), 3),
        "sha256": tokenizer.file_sha256(made),
        **counts,
    }
    with _beside(record) as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return facts


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of `path` once it is whole."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def check_tokens(data: Path) -> dict[str, Any]:
    """The record of a folder's tokens. Raises `DataError` unless they are its tokenizer's."""
    path = data / "tokens" / "manifest.json"
    again = "make them anew: trueval train tokenizer DATA"
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        made_by = facts["sha256"]
    except OSError as error:
        raise DataError(
            f"no record of tokens in {data}: {error.strerror}", hint="trueval train tokenizer DATA"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no record of tokens: {error!r}", hint=again) from None
    if made_by != tokenizer.file_sha256(data / "tokenizer.json"):
        raise DataError(f"the tokens in {data} are not of its tokenizer.json", hint=again)
    return facts


def _every(texts: Iterator[str], stride: int) -> Iterator[str]:
    """Every `stride`-th text: all packages have their part in a sample."""
    for number, text in enumerate(texts):
        if number % stride == 0:
            yield text


def _bytes_per_token(data: Path, counts: dict[str, dict[str, int]]) -> float:
    size = sum(len(text.encode()) for text in texts_of(data, "validation"))
    tokens = counts["validation"]["tokens"]
    return size / tokens if tokens else 0.0
