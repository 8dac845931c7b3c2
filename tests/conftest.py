"""What several test folders share."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trueval.config import RunConfig, validate
from trueval.experiment.execute import run_config
from trueval.tasks.demo import Demo


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: the cores that are ours, and no more than memory has room for."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, 8)


class Quiet:
    """A screen that keeps what it was told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.messages: list[str] = []

    def update(self, **fields: Any) -> None:
        if fields.get("phase") and fields["phase"] not in self.phases:
            self.phases.append(fields["phase"])

    def message(self, text: str) -> None:
        self.messages.append(text)


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Lets test processes past one by one, so that what they share is made once."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session", autouse=True)
def cache_for_controls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the test run's own: an earlier run's controls must not vouch for this code.

    Models stay where they are, so that they are fetched once a machine and not once a test run.
    """
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trueval.honesty.controls.cache_dir", lambda: folder)
        patch.setattr("trueval.honesty.floor.cache_dir", lambda: folder)
        patch.setattr("trueval.experiment.cache_file.cache_dir", lambda: folder)
        patch.setattr("trueval.honesty.lint_behaviour.cache_dir", lambda: folder)
        patch.setattr("trueval.experiment.leaks.cache_dir", lambda: folder)
        yield


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


@pytest.fixture
def run_demo(tmp_path: Path, quiet: Quiet) -> Callable[..., Any]:
    """Runs the demo task on scripted answers in a folder of the test's own."""

    def run(*, force: bool = False, **settings: Any) -> Any:
        # The controls hold an endless loop, which each kind of run waits for once.
        grading = {"timeout_s": 1.0, **settings.pop("grading", {})}
        config: RunConfig = validate(
            {
                "task": "demo",
                "backend": "scripted",
                "output": str(tmp_path / "runs"),
                "cache": False,  # what another test drew is no proof that this one's run works
                "grading": grading,
                **settings,
            },
            where="test",
        )
        return run_config(config, screen=quiet, force=force)

    return run


@pytest.fixture
def script(tmp_path: Path) -> Callable[[list[dict[str, str]]], str]:
    """Writes a script for the scripted backend and gives its path."""

    def write(rows: list[dict[str, str]]) -> str:
        file = tmp_path / "script.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(file)

    return write


@pytest.fixture
def canonical_rows() -> list[dict[str, str]]:
    """Scripted answers that are all right."""
    return [
        {"problem_id": reference.problem_id, "text": reference.canonical_solution}
        for reference in Demo().load().references.values()
    ]
