"""A finished run is told again, and made again as soon as anything about it is different."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trueval.experiment import whole
from trueval.grade.functional import FunctionalGrader

Run = Callable[..., Any]


@pytest.fixture
def graders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each grader that is started."""
    started: list[str] = []
    opened = FunctionalGrader.open

    async def open_(self: FunctionalGrader) -> Any:
        started.append("grader")
        return await opened(self)

    monkeypatch.setattr(FunctionalGrader, "open", open_)
    return started


def contents(summary: Any) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(summary["run_dir"]).iterdir()}


def test_what_is_finished_is_read_and_nothing_else_is_done(
    run_demo: Run, graders: list[str]
) -> None:
    first = run_demo()
    before = contents(first)
    assert run_demo() == first
    assert contents(first) == before
    assert len(graders) == 1


def test_it_may_be_moved(run_demo: Run, graders: list[str], tmp_path: Path) -> None:
    first = run_demo(name="run")
    (tmp_path / "runs").rename(tmp_path / "kept")
    assert run_demo(name="run", output=str(tmp_path / "kept")) == {
        **first,
        "run_dir": str(tmp_path / "kept" / "run"),
    }
    assert len(graders) == 1


@pytest.mark.parametrize("name", whole.FILES)
def test_a_file_that_was_changed_has_it_made_again(
    run_demo: Run, graders: list[str], name: str
) -> None:
    first = run_demo()
    file = Path(first["run_dir"]) / name
    content = file.read_bytes()
    few = b"".join(content.splitlines(keepends=True)[:2])
    file.write_bytes(few if name == "samples.jsonl" else content + b" ")
    assert run_demo()["raw"] == first["raw"]
    assert len(graders) == 2


def test_what_samples_are_made_of_is_asked_for_too(
    run_demo: Run, graders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = {"name": "run", "samples": 2, "sampling": {"temperature": 0.5}}
    run_demo(**settings)
    settings["k"] = [1, 2]
    run_demo(**settings)
    assert len(graders) == 2
    run_demo(**settings, force=True)
    assert len(graders) == 3
    monkeypatch.setattr(whole, "_own_code", lambda: "of another day")
    run_demo(**settings, force=True)
    assert len(graders) == 4
    run_demo(**settings, force=True)
    assert len(graders) == 4


def test_a_run_that_is_not_whole_is_gone_on_with(
    run_demo: Run, graders: list[str], script: Any, canonical_rows: list[dict[str, str]]
) -> None:
    failing = [{"problem_id": canonical_rows[0]["problem_id"], "failure": "busy"}]
    model = script([*failing, *canonical_rows[1:]])
    for started in (1, 2):
        assert run_demo(model=model)["raw"]["outcomes"]["infra"] == 1
        assert len(graders) == started
