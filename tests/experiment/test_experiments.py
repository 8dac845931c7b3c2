from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Quiet
from trueval.cli import _main
from trueval.errors import ConfigError
from trueval.experiment.choice import ranking
from trueval.experiment.experiments import Experiments, load_experiments
from trueval.experiment.sequence import Result, run_experiments
from trueval.generate.scripted import ScriptedBackend
from trueval.honesty.splits import split_of
from trueval.report.ranking import render_ranking
from trueval.tasks.demo import Demo

Write = Callable[..., Path]
TWO: Any = [{"name": "one"}, {"name": "two", "sampling": {"max_tokens": 9}}]
DEV = [one for one in Demo().load().problems if split_of(one.problem_id) == "dev"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an experiments file for the demo task."""

    def to_file(**content: Any) -> Path:
        file = tmp_path / "file.yml"
        top: dict[str, Any] = {"task": "demo", "backend": "scripted"}
        top |= {"output": str(tmp_path / "runs"), "grading": {"timeout_s": 1.0}}
        file.write_text(yaml.safe_dump({**top, "cache": False, **content}, sort_keys=False))
        return file

    return to_file


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a model was loaded, and a sample drawn."""
    counted: Counter[str] = Counter()
    for name in ("open", "draw", "close"):
        whole = getattr(ScriptedBackend, name)

        async def call(self: Any, *args: Any, _name: str = name, _whole: Any = whole) -> Any:
            counted[_name] += 1
            return await _whole(self, *args)

        monkeypatch.setattr(ScriptedBackend, name, call)
    return counted


async def carried_out(file: Path, screen: Quiet) -> tuple[Experiments, list[Result]]:
    experiments = load_experiments(file, {})
    return experiments, await run_experiments(experiments, screen=screen)


# --------------------------------------------------------------------------- the file


def test_the_top_holds_for_every_experiment_and_each_may_change_it(write: Write) -> None:
    file = write(sampling={"seed": 4}, experiments=TWO)
    one, two = load_experiments(file, {"limit": 3}).listed or ()
    assert (one.config.sampling.seed, one.config.sampling.max_tokens) == (4, 512)
    assert (two.config.sampling.seed, two.config.sampling.max_tokens) == (4, 9)
    assert {one.config.limit, two.config.limit} == {3}
    assert {one.config.split, two.config.split} == {"all"}


def test_an_experiment_may_say_how_many_problems_of_its_task(write: Write) -> None:
    three = {"name": "three", "task": {"max_samples": 3}}
    runs = load_experiments(write(limit=5, experiments=[*TWO, three]), {}).listed or ()
    assert [(run.config.task, run.config.limit) for run in runs] == [
        ("demo", 5),
        ("demo", 5),
        ("demo", 3),
    ]


def test_a_sweep_gives_every_run_a_name_that_says_what_it_set(write: Write) -> None:
    file = write(experiments=TWO[:1], sweep={"over": {"sampling.seed": [1, 2], "limit": [3]}})
    runs = load_experiments(file, {}).listed or ()
    assert [run.name for run in runs] == ["one--seed=1-limit=3", "one--seed=2-limit=3"]
    assert [run.config.sampling.seed for run in runs] == [1, 2]
    assert {run.config.split for run in runs} == {"dev"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"experiments": [{"nmae": "x"}]}, "did you mean 'name'"),
        ({"experiments": [{"sampling": {"temprature": 1}}]}, "did you mean 'temperature'"),
        ({"experiments": [{"name": "x"}, {"name": "x"}]}, "two experiments"),
        ({"experiments": [{"name": "x", "enabled": False}]}, "is enabled"),
        ({"experiments": "x"}, "no list of settings"),
        ({"tsak": "demo", "experiments": TWO}, "did you mean 'task'"),
        ({"experiments": [{"task": {"max_sample": 3}}]}, "did you mean 'max_samples'"),
        (
            {"sweep": {"over": {"sampling.seed": [1, "x"]}, "search": "tpe", "trials": 2}},
            "sampling.seed",
        ),
        ({"model": date(2026, 1, 1), "experiments": TWO}, "'model'"),
        ({"sweep": {"over": {"sampling.sede": [1]}}}, "did you mean 'seed'"),
        ({"sweep": {"over": {"sampling.seed": ["x"]}}}, "sampling.seed"),
    ],
)
def test_a_mistake_anywhere_is_found_before_the_first_run(
    write: Write, content: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load_experiments(write(**content), {})
    assert message in str(error.value)


# --------------------------------------------------------------------------- carrying it out


async def test_a_model_is_loaded_once_for_those_that_share_it(
    write: Write, quiet: Quiet, opened: Counter[str]
) -> None:
    other = {"name": "other", "options": {"concurrency": 2}}
    await carried_out(write(experiments=[*TWO, other]), quiet)
    assert opened["open"] == 2
    assert opened["draw"] == 24
    assert opened["close"] == 2


async def test_what_is_finished_is_left_as_it_is(
    write: Write, quiet: Quiet, opened: Counter[str]
) -> None:
    await carried_out(write(experiments=TWO), quiet)
    before = dict(opened)
    experiments, results = await carried_out(write(experiments=TWO), quiet)
    assert dict(opened) == before
    assert all(result.skipped for result in results)
    assert "finished before" in render_ranking(ranking(experiments, results))
    more = [*TWO, {"name": "three", "limit": 2}]
    _, results = await carried_out(write(experiments=more), quiet)
    assert [result.skipped for result in results] == [True, True, False]
    assert opened["draw"] == before["draw"] + 2


async def test_what_is_finished_may_be_moved(write: Write, quiet: Quiet, tmp_path: Path) -> None:
    await carried_out(write(experiments=TWO), quiet)
    (tmp_path / "runs").rename(tmp_path / "kept")
    file = write(experiments=TWO, output=str(tmp_path / "kept"))
    experiments, results = await carried_out(file, quiet)
    assert all(result.skipped for result in results)
    [group] = ranking(experiments, results)["groups"]
    assert group["runs"][0]["run_dir"] == str(tmp_path / "kept" / "one")


async def test_one_that_was_killed_in_the_middle_goes_on(
    write: Write, quiet: Quiet, opened: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = ScriptedBackend.draw

    async def dies(self: Any, request: Any) -> Any:
        if request.params.max_tokens == 9 and opened["draw"] >= 12:
            raise RuntimeError("killed")
        return await draw(self, request)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(ScriptedBackend, "draw", dies)
        await carried_out(write(experiments=TWO), quiet)
    _, (one, two) = await carried_out(write(experiments=TWO), quiet)
    assert one.skipped
    assert not two.skipped
    assert two.score == one.score == 0.75


async def test_an_experiment_that_fails_does_not_stop_the_others(
    write: Write, quiet: Quiet, tmp_path: Path
) -> None:
    broken = {"name": "broken", "model": str(tmp_path / "none.jsonl")}
    experiments, results = await carried_out(write(experiments=[broken, *TWO]), quiet)
    assert [result.score for result in results] == [None, 0.75, 0.75]
    assert "no score  broken: cannot read the script" in render_ranking(
        ranking(experiments, results)
    )


async def test_runs_with_other_assists_or_data_are_ranked_apart(write: Write, quiet: Quiet) -> None:
    apart = [{"name": "part", "limit": 4}, {"name": "official", "grading": {"grading": "official"}}]
    experiments, results = await carried_out(write(experiments=[*TWO, *apart]), quiet)
    groups = ranking(experiments, results)["groups"]
    assert [[run["name"] for run in group["runs"]] for group in groups] == [
        ["one", "two"],
        ["part"],
        ["official"],
    ]
    assert "official grading" in render_ranking(ranking(experiments, results))


# --------------------------------------------------------------------------- splits and choosing


async def test_a_sweep_sees_dev_and_says_what_choosing_does(write: Write, quiet: Quiet) -> None:
    file = write(sweep={"over": {"sampling.max_tokens": [2, 400]}}, name="s")
    experiments, results = await carried_out(file, quiet)
    facts = ranking(experiments, results)
    [group] = facts["groups"]
    assert (group["split"], group["problems"], group["of"]) == ("dev", len(DEV), 8)
    assert group["assists"] == []
    assert group["bias"] is not None
    assert facts["configurations"] == 2
    text = render_ranking(facts)
    assert "2 configurations tried" in text
    assert "the best of 2 overstates itself" in text


async def test_what_choosing_does_is_told_of_the_headline(
    write: Write, quiet: Quiet, script: Callable[..., str], canonical_rows: list[dict[str, str]]
) -> None:
    halves = [{**row, "text": text} for row in canonical_rows for text in (row["text"], "pass")]
    sampling = {"temperature": 0.5}
    settings: Any = {"model": script(halves), "samples": 2, "k": [2], "sampling": sampling}
    experiments, results = await carried_out(write(experiments=TWO, **settings), quiet)
    [group] = ranking(experiments, results)["groups"]
    assert group["runs"][0]["estimate"]["metric"] == "pass@2"
    assert group["runs"][0]["estimate"]["value"] == 1.0
    assert group["bias"] == {"bias": 0.0, "corrected": 1.0, "configurations": 2}


@pytest.mark.parametrize(("split", "side"), [("test", "test"), ("all", "all problems")])
async def test_choosing_where_the_score_is_stands_beside_it(
    write: Write, quiet: Quiet, split: str, side: str
) -> None:
    file = write(sweep={"over": {"sampling.max_tokens": [2, 400]}}, split=split)
    _, results = await carried_out(file, quiet)
    assert all(result.summary for result in results)
    for result in results:
        assert result.summary is not None
        assert result.summary["manifest"]["assists"] == [f"best of 2 tried on {side}"]


@pytest.mark.parametrize(
    ("split", "stamp"),
    [("all", "best of 2 tried on all problems"), ("test", "best of 2 tried on test"), ("dev", "")],
)
async def test_the_best_of_a_list_is_stamped_where_it_is_named(
    write: Write, quiet: Quiet, split: str, stamp: str
) -> None:
    experiments, results = await carried_out(write(experiments=TWO, split=split), quiet)
    facts = ranking(experiments, results)
    [group] = facts["groups"]
    assert group["chosen"] == stamp
    assert group["bias"] is not None
    assert group["assists"] == []  # nobody has taken one of them for the best yet
    text = render_ranking(facts)
    assert "2 configurations tried" in text
    assert ("whoever takes the first for its score" in text) == bool(stamp)


def test_a_split_is_in_manifest_and_notes(run_demo: Callable[..., Any]) -> None:
    summary = run_demo(split="dev")
    assert summary["manifest"]["data"]["split"] == "dev"
    note = f"{len(DEV)} of 8 problems (the dev split): not a demo score"
    assert note in summary["notes"]
    folder = Path(summary["run_dir"])
    drawn = {
        json.loads(line)["request"]["problem_id"]
        for line in (folder / "samples.jsonl").read_text().splitlines()
    }
    assert drawn == {problem.problem_id for problem in DEV}


def test_problems_are_chosen_by_name(run_demo: Callable[..., Any]) -> None:
    summary = run_demo(problems=["Demo/[01]", "Demo/7"])
    assert summary["raw"]["outcomes"]["problems"] == 3
    with pytest.raises(ConfigError, match="no problem of demo is called 'Dmo/1'"):
        run_demo(problems=["Dmo/1"])


def test_settings_of_today_at_their_defaults_leave_old_runs_their_digest(
    run_demo: Callable[..., Any],
) -> None:
    config = run_demo()["manifest"]["config"]
    assert not {"split", "problems", "cache", "tried"} & config.keys()


# --------------------------------------------------------------------------- the command


def test_the_command_plans_runs_and_prints_one_table(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(experiments=TWO)
    assert _main(["run", str(file), "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "one: 8 problems x 1 = 8 samples" in planned
    assert "2 runs, 16 samples" in planned
    assert _main(["run", str(file)]) == 0
    assert "1  one  75.0%" in capsys.readouterr().out
    assert _main(["run", str(file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in facts["runs"]] == ["one", "two"]
    assert _main(["run", str(file), "--name", "x"]) == 2
