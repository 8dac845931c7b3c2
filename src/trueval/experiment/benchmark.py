"""The benchmark that a config names: one that is known, or a user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueval import registry
from trueval.errors import ConfigError
from trueval.tasks.formats import is_file
from trueval.types import TaskData


def load_benchmark(name: str, options: Mapping[str, Any] | None = None) -> TaskData:
    """A task's problems and references, by its name or by the path of a JSON Lines file.

    `options` are what the task's constructor takes, such as `file` or `split`. Raises
    `ConfigError` for a name or an option that nothing has, `DataError` for data that is not as
    published.
    """
    given = dict(options or {})
    if is_file(name) and name not in registry.known("tasks"):
        name, given = "jsonl", {"file": name, **given}
    benchmark = registry.make("tasks", name, given)
    try:
        task: TaskData = benchmark.load()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the task {name}: {error}") from error
    return task
