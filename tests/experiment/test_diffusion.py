"""Runs of a diffusion model end to end, on a tiny checkpoint with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Quiet
from trueval.config import RunConfig, validate
from trueval.errors import ConfigError
from trueval.experiment.compare import compare_runs
from trueval.experiment.denoising import ORACLE, decided, labels
from trueval.experiment.execute import prepare, run_config
from trueval.experiment.plan import asked
from trueval.experiment.reprocess import reprocess
from trueval.experiment.stored import open_run
from trueval.tasks.infilling import SingleLine
from trueval.types import (
    Completion,
    DiffusionParams,
    InfillPrompt,
    Request,
    Sample,
    SamplingParams,
    TextPrompt,
    digest_of,
)

TASK = "humaneval-infill-single"
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("tokenizers")
    from tests.diffusion.checkpoints import write_checkpoint

    longer = {"max_position_embeddings": 1024}
    folder = tmp_path_factory.mktemp("tiny") / "open-dcoder-tiny"
    return write_checkpoint(folder, "open-dcoder", config=longer)


@pytest.fixture
def run(checkpoint: Path, tmp_path: Path, quiet: Quiet) -> Run:
    def call(length: Any = "fixed:8", diffusion: dict[str, Any] | None = None, **given: Any) -> Any:
        content = {
            "task": TASK,
            "backend": "diffusion",
            "model": str(checkpoint),
            "limit": 3,
            "output": str(tmp_path / "runs"),
            "sampling": {"diffusion": {"steps": 8, "length": length, **(diffusion or {})}},
            **given,
        }
        return run_config(validate(content, where="test"), screen=quiet)

    return call


def rows(summary: Any) -> list[dict[str, Any]]:
    lines = (Path(summary["run_dir"]) / "samples.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for row in found:
        row["completion"].pop("duration_s")
        row["grade"].pop("duration_s")
    return found


# --------------------------------------------------------------------------- runs


def test_a_run_fills_gaps_and_goes_on_after_a_cut(run: Run) -> None:
    summary = run(name="run", options={"trace": True})
    assert summary["raw"]["outcomes"]["infra"] == summary["raw"]["outcomes"]["missing"] == 0
    # A model with random weights is what the floor is for.
    assert summary["floor"]["pass@1"]["answer"]
    manifest = summary["manifest"]
    assert manifest["assists"] == ["one line known"]
    assert manifest["labels"] == ["fixed:8"]
    assert manifest["config"]["prompt"] == "native"
    # What was not said is as Open-dCoder publishes it, and stands in the manifest.
    drawn_by = manifest["config"]["sampling"]
    assert (drawn_by["temperature"], drawn_by["top_p"]) == (0.6, 0.95)
    assert drawn_by["diffusion"] | {"steps": 64, "length": None} == vars_of(DiffusionParams())
    before = rows(summary)
    assert [row["request"]["params"]["diffusion"]["length"] for row in before] == [8, 8, 8]
    page = (Path(summary["run_dir"]) / "report.html").read_text()
    assert "fixed:8" in page and "denoising, " in page
    file = Path(summary["run_dir"]) / "samples.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b"\n") + 40])
    again = run(name="run", options={"trace": True})
    assert rows(again) == before
    assert any("resumed: 1 of 3" in note for note in again["notes"])


def test_the_oracle_is_told_the_true_length_and_stamped_everywhere(
    run: Run, checkpoint: Path, tmp_path: Path, quiet: Quiet
) -> None:
    from trueval.diffusion.model import load_model

    summary = run("oracle", name="oracle")
    assert summary["manifest"]["assists"] == ["one line known", ORACLE]
    assert summary["manifest"]["labels"] == []
    assert summary["manifest"]["config"]["sampling"]["diffusion"]["length"] == "oracle"
    model, data = load_model(checkpoint), SingleLine().load()
    for row in rows(summary):
        true = data.references[row["request"]["problem_id"]].canonical_solution
        told = row["request"]["params"]["diffusion"]["length"]
        assert told == row["completion"]["completion_tokens"] == len(model.encode(true))
    for name in ("report.html", "manifest.json"):
        assert ORACLE in (Path(summary["run_dir"]) / name).read_text()
    fixed = run(name="fixed")
    runs = [open_run(one["run_dir"]) for one in (summary, fixed)]
    with pytest.raises(ConfigError, match=r"must not be ranked together(.|\n)*oracle length"):
        compare_runs(runs)
    # The completions can be read anew with no model at hand, and stay what they are.
    import asyncio

    again = asyncio.run(
        reprocess(summary["run_dir"], "none", screen=quiet, runs=tmp_path / "runs", name="anew")
    )
    assert ORACLE in again["manifest"]["assists"]
    texts = [[row["completion"]["text"] for row in rows(one)] for one in (summary, again)]
    assert texts[0] == texts[1]


def test_an_approximate_mode_is_named_with_its_agreement(run: Run) -> None:
    from trueval.report.table import render_table

    summary = run(diffusion={"mode": "cached", "refresh": 2})
    agreeing = sum(row["completion"]["denoising"]["agrees"] for row in rows(summary))
    label = f"approximate: cached, {agreeing} of 3 rows as exact"
    assert summary["manifest"]["labels"] == ["fixed:8", label]
    assert label in render_table(summary, width=400).splitlines()[0]


def test_a_completion_task_is_asked_for_max_tokens(run: Run) -> None:
    summary = run(None, task="demo", sampling={"max_tokens": 12, "diffusion": {"steps": 4}})
    assert summary["manifest"]["labels"] == []
    assert {row["completion"]["completion_tokens"] for row in rows(summary)} == {12}
    with pytest.raises(ConfigError, match="asks for no gaps"):
        run(8, task="demo")


def test_a_search_finds_lengths_in_a_run_and_says_what_it_took(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueval.diffusion.calibration.cache_dir", lambda: tmp_path / "kept")
    given: dict[str, Any] = {"options": {"calibration_holes": 8}, "limit": 2}
    summary = run("search", name="search", **given)
    manifest = summary["manifest"]
    assert manifest["assists"] == ["one line known"]
    facts = manifest["model"]["length_search"]
    assert (facts["kind"], facts["holes"]["probed"]) == ("line", 8)
    assert facts["code"].startswith("the library of Python")
    found = [row["completion"]["denoising"] for row in rows(summary)]
    searched = sum(one["search"]["cost"] for one in found)
    filling = sum(one["forwards"] for one in found)
    assert 2 < searched < 100
    times = f"{1 + searched / filling:.1f} times the cost of filling alone"
    assert manifest["labels"] == [f"length by search, {times}"]
    for row, one in zip(rows(summary), found, strict=True):
        assert row["completion"]["completion_tokens"] == one["search"]["length"] <= 64
        assert row["request"]["params"]["diffusion"]["length"] == "search"
    # It is what a run does that says nothing, and the calibration is read, not made again.
    kept = [*(tmp_path / "kept" / "lengths").iterdir()]
    assert rows(run(None, name="unsaid", **given)) == rows(summary)
    assert len(kept) == 1
    assert [*(tmp_path / "kept" / "lengths").iterdir()] == kept


# --------------------------------------------------------------------------- settings


def vars_of(params: DiffusionParams) -> dict[str, Any]:
    return {name: getattr(params, name) for name in params.__dataclass_fields__}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"backend": "scripted", "sampling": {"diffusion": {"steps": 8}}}, "denoises nothing"),
        ({"backend": "diffusion", "sampling": {"diffusion": {"steps": 0}}}, "steps"),
        ({"backend": "diffusion", "sampling": {"diffusion": {"length": "fixed:0"}}}, "no length"),
        ({"backend": "diffusion", "sampling": {"diffusion": {"length": True}}}, "no length"),
        ({"backend": "diffusion", "sampling": {"diffusion": {"threshold": 0.9}}}, "threshold"),
        ({"backend": "diffusion", "sampling": {"diffusion": {"sampler": "p3"}}}, "sampler 'p3'"),
    ],
)
def test_options_that_do_nothing_are_refused_before_a_model_loads(
    content: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        prepare(validate({"task": TASK, **content}, where="test"))


def test_a_misspelt_key_of_denoising_is_guessed() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'sampling\.diffusion\.setps'") as error:
        validate({"sampling": {"diffusion": {"setps": 1}}}, where="test")
    assert "did you mean 'steps'?" in error.value.hint


@pytest.mark.parametrize(("given", "length"), [(8, 8), ("8", 8), ("fixed:8", 8), ("oracle",) * 2])
def test_a_length_is_a_number_or_a_policy(given: Any, length: Any) -> None:
    content = {"backend": "diffusion", "sampling": {"diffusion": {"length": given}}}
    params = validate(content, where="test").sampling.params((), "completion")
    assert params.diffusion is not None and params.diffusion.length == length


def test_a_gap_is_never_longer_than_max_tokens() -> None:
    params = SamplingParams(max_tokens=16, diffusion=DiffusionParams(length=17))
    with pytest.raises(ConfigError, match="longer than max_tokens") as error:
        decided(params, gaps=True)
    assert error.value.hint == "--max-tokens 17"


def test_samples_may_differ_where_the_temperature_is_the_published_one() -> None:
    assert validate({"backend": "diffusion", "samples": 5}, where="test").samples == 5


def test_what_diffusion_adds_changes_no_digest_of_another_run() -> None:
    # Taken before there was such a section: a run on disk goes on under the same.
    request = Request(
        problem_id="Demo/0",
        sample_index=0,
        model="m@1",
        prompt=TextPrompt(text="def f():"),
        params=SamplingParams(),
    )
    assert request.key == "606106825faa04ea9f484952205529cc"
    assert digest_of(asked(RunConfig()))[:16] == "87da353278575df4"


def test_every_option_of_denoising_changes_the_key_of_a_request() -> None:
    others = {
        "sampler": "entropy",
        "steps": 2,
        "mode": "cached",
        "refresh": 2,
        "threshold": 0.5,
        "factor": 2.0,
        "remask_temperature": 1.0,
        "remask_cap": 0.5,
        "block": 4,
        "published_times": True,
        "length": 3,
        "hole": "line",
        "delete_rest": True,
    }
    assert others.keys() == vars_of(DiffusionParams()).keys()

    def key(**given: Any) -> str:
        params = SamplingParams(diffusion=DiffusionParams(**given))
        hole = InfillPrompt(prefix="a", suffix="b")
        return Request(problem_id="p", sample_index=0, model="m", prompt=hole, params=params).key

    assert (
        len({key(), *(key(**{name: value}) for name, value in others.items())}) == len(others) + 1
    )


def test_labels_say_what_was_not_checked() -> None:
    params = SamplingParams(diffusion=DiffusionParams(length="search", mode="parallel"))
    assert labels(params) == ("length by search", "approximate: parallel, not checked")
    request = Request(
        problem_id="p", sample_index=0, model="m", prompt=TextPrompt(text=""), params=params
    )
    samples = [
        Sample(request=request, completion=Completion(text="", denoising=found))
        for found in ({"agrees": True}, {"agrees": False}, {})
    ]
    costs: tuple[dict[str, Any], ...] = (
        {"forwards": 10, "search": {"cost": 20.0}},
        {"forwards": 30, "search": {"forwards": 20}},  # of a version that counted passes
        {"forwards": 10},
    )
    told = [
        replace(s, completion=Completion(text="", denoising=c))
        for s, c in zip(samples, costs, strict=True)
    ]
    assert labels(params, told)[0] == "length by search, 3.0 times the cost of filling alone"
    assert labels(params, samples)[1] == "approximate: parallel, 1 of 2 rows as exact"
    assert labels(SamplingParams()) == ()
