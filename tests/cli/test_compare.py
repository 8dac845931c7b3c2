"""`trueval compare` and `trueval failures` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from trueval.cli import group


@pytest.fixture
def runs(run_demo: Any) -> str:
    first = run_demo(name="first")
    run_demo(name="second", sampling={"seed": 1})
    return str(Path(first["run_dir"]).parent)


def call(*arguments: str) -> str:
    done = CliRunner().invoke(group, arguments, catch_exceptions=False, standalone_mode=False)
    assert done.return_value == 0
    return done.stdout


def test_compare_takes_names_of_runs(runs: str) -> None:
    assert "second against first: CANNOT TELL" in call("compare", "first", "second", "-o", runs)


def test_compare_prints_the_same_facts_as_json(runs: str) -> None:
    facts = json.loads(call("compare", f"{runs}/first", f"{runs}/second", "--json"))
    assert facts["pairs"][0]["verdict"] == "cannot tell"


def test_failures_of_one_run_and_of_several(runs: str) -> None:
    assert "2 of 8 samples failed" in call("failures", "first", "-o", runs)
    assert "6 (75.0%)" in call("failures", "first", "second", "-o", runs)
    assert json.loads(call("failures", "first", "-o", runs, "--json"))["failed"] == 2
