"""Several lengths of one command, and who fills holes when nobody is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueval.cli import _main
from trueval.config import DEFAULT_INFILLER, load_config
from trueval.errors import ConfigError
from trueval.experiment.experiments import one_each

KEY = "sampling.diffusion.length"
SINGLE = {"task": "humaneval-infill-single", "limit": 2}


def test_each_length_is_a_run_that_differs_in_nothing_else() -> None:
    found = one_each(KEY, ["oracle", "fixed:8", "search"], SINGLE).listed
    assert found is not None
    lengths = [run.config.sampling.diffusion for run in found]
    assert [one.length for one in lengths if one] == ["oracle", 8, "search"]
    assert len({run.name for run in found}) == 3
    rest = {"name", "sampling"}
    assert len({run.config.model_copy(update={"name": None}).model_dump_json(exclude=rest)
                for run in found}) == 1  # fmt: skip


def test_other_settings_are_other_folders() -> None:
    names = [
        run.name
        for limit in (2, 3)
        for run in one_each(KEY, ["oracle", "search"], {**SINGLE, "limit": limit}).listed or ()
    ]
    assert len(set(names)) == 4


def test_a_command_with_several_lengths_plans_them(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--task", "humaneval-infill-single", "--length", "oracle,fixed:8", "--limit", "2"]
    assert _main(["run", *given, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "2 runs, 4 samples" in out and "-oracle-" in out and "-fixed-8-" in out


def test_several_lengths_and_a_file_do_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.yml"
    file.write_text("task: humaneval-infill-single\n")
    assert _main(["run", str(file), "--length", "oracle,search", "--dry-run"]) == 2
    assert "as `experiments`" in capsys.readouterr().err


def test_a_length_that_is_none_is_refused_before_the_first_run() -> None:
    with pytest.raises(ConfigError, match="no length of a gap"):
        one_each(KEY, ["oracle", "sometimes"], SINGLE)


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({"task": "humaneval-infill-single"}, DEFAULT_INFILLER),
        ({"task": "santacoder-fim-py"}, DEFAULT_INFILLER),
        ({"backend": "diffusion"}, DEFAULT_INFILLER),
        # It has seen Python alone.
        ({"task": "santacoder-fim-java"}, None),
        ({"task": "humaneval-infill-single", "model": "smollm2-135m-instruct"}, None),
        ({"task": "humaneval-infill-single", "backend": "openvino"}, None),
        ({"task": "humaneval-infill-single", "options.base_url": "http://localhost:1"}, None),
        ({"task": "humaneval"}, None),
    ],
)
def test_holes_in_python_are_filled_by_the_model_that_ships(
    given: dict[str, str], model: str | None
) -> None:
    config = load_config(None, given)
    assert (config.model == model) or (model is None and config.model != DEFAULT_INFILLER)
    assert (config.backend == "diffusion") == (model is not None)
