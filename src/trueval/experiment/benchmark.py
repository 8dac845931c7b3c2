"""The benchmark that a config names: one that is known, or a user's own file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from trueval import registry
from trueval.errors import ConfigError, did_you_mean
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
    make = registry.resolve("tasks", name)
    known = inspect.signature(make).parameters
    for key in given:
        if key not in known:
            raise ConfigError(f"the task {name} takes no {key!r}", hint=did_you_mean(key, known))
    try:
        task: TaskData = make(**given).load()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the task {name}: {error}") from error
    return task
