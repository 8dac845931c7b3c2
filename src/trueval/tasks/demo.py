"""A benchmark of our own, small enough for a test: eight functions, and answers to them."""

from __future__ import annotations

from importlib import resources

from trueval.tasks.rows import completion_task
from trueval.types import TaskData


class Demo:
    """Eight small functions with tests, for trying things out. It measures nothing."""

    name = "demo"
    summary = "8 small functions of our own, for trying trueval out (completion)"

    def load(self) -> TaskData:
        """The problems, from the package's own data."""
        raw = resources.files("trueval.tasks").joinpath("demo.jsonl").read_bytes()
        return completion_task(
            raw, name=self.name, source="ships with trueval", license="Apache-2.0"
        )
