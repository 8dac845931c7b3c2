from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trueval.errors import ConfigError, DataError
from trueval.experiment.codec import sample_from_json, sample_to_line
from trueval.experiment.store import RunStore
from trueval.types import (
    ChatPrompt,
    Completion,
    DiffusionParams,
    FailingCall,
    Failure,
    Grade,
    InfillPrompt,
    Program,
    Prompt,
    Request,
    Sample,
    SamplingParams,
    TextPrompt,
)


def sample(index: int = 0, **changes: Any) -> Sample:
    request = Request(
        problem_id="Demo/0",
        sample_index=index,
        model="m@1",
        prompt=TextPrompt(text="def f():"),
        params=SamplingParams(stop=("\n\n",)),
    )
    made = Sample(
        request=request,
        completion=Completion(text=f"    return {index}\n\ud800", completion_tokens=3),
        program=Program(source="def f(): ...", edits=("unfence",)),
        grade=Grade(verdict="wrong", detail="AssertionError", duration_s=0.1),
    )
    return replace(made, **changes)


FAILED: dict[str, Any] = {
    "completion": Failure(stage="generate", message="503"),
    "program": None,
    "grade": None,
}


@pytest.mark.parametrize(
    "prompt",
    [
        TextPrompt(text="a\ud800"),
        ChatPrompt(messages=(("user", "a"), ("assistant", "b"))),
        InfillPrompt(prefix="a", suffix="b"),
    ],
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        FAILED,
        {"grade": Failure(stage="grade", message="worker died", retryable=True)},
        {
            "repaired": Program(source="x", edits=("a", "b")),
            "repaired_grade": Grade(verdict="passed"),
        },
    ],
)
def test_a_sample_reads_back_as_it_was_written(prompt: Prompt, changes: dict[str, Any]) -> None:
    written = sample(**changes)
    params = SamplingParams(diffusion=DiffusionParams(steps=3))
    written = replace(written, request=replace(written.request, prompt=prompt, params=params))
    assert sample_from_json(json.loads(sample_to_line(written))) == written


def test_a_failing_call_reads_back_and_a_line_of_before_there_was_one_reads_too() -> None:
    call = FailingCall(call="f(1)", expected="2", got="3")
    grade = Grade(verdict="wrong", cause="wrong", trust="same-process", failing_call=call)
    data = json.loads(sample_to_line(sample(grade=grade)))
    read = sample_from_json(data).grade
    assert isinstance(read, Grade)
    assert (read, read.failing_call) == (grade, call)
    for new in ("cause", "trust", "failing_call"):
        del data["grade"][new]
    old = sample_from_json(data).grade
    assert isinstance(old, Grade)
    assert (old.cause, old.trust, old.failing_call) == ("", "split", None)


def test_a_line_whose_request_was_tampered_with_is_refused() -> None:
    data = json.loads(sample_to_line(sample()))
    data["request"]["sample_index"] = 5
    with pytest.raises(ValueError, match="does not fit"):
        sample_from_json(data)


def test_whatever_byte_a_run_ends_at_costs_at_most_one_sample(tmp_path: Path) -> None:
    with RunStore(tmp_path / "whole") as store:
        for index in range(6):
            store.append(sample(index))
    whole = (tmp_path / "whole" / "samples.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in random.Random(0).sample(range(len(whole) + 1), 60):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "samples.jsonl").write_bytes(whole[:cut])
        with RunStore(folder) as store:
            kept = whole[:cut].count(b"\n")
            assert len(store) == kept
            for index in range(6):
                if not store.has(sample(index).request.key):
                    store.append(sample(index))
        assert (folder / "samples.jsonl").read_bytes() == b"".join(lines)


def test_a_failure_is_owed_again_and_the_last_line_counts(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.append(sample(0, **FAILED))
        assert not store.has(sample().request.key)
        assert len(store) == 0
        store.append(sample(0))
        assert store.has(sample().request.key)
        assert [*store.samples()] == [sample(0)]


def test_finish_leaves_one_line_a_sample_in_the_plan_s_order(tmp_path: Path) -> None:
    order = [sample(index).request.key for index in range(3)]
    with RunStore(tmp_path) as store:
        for index in (2, 0, 1):
            store.append(sample(index, **FAILED))
            store.append(sample(index))
        store.finish(order)
        assert [found.request.sample_index for found in store.samples()] == [0, 1, 2]
        store.append(sample(3))
    assert len((tmp_path / "samples.jsonl").read_bytes().splitlines()) == 4


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.append(sample(0))
    file = tmp_path / "samples.jsonl"
    file.write_bytes(file.read_bytes() + b'{"request": 1}\n')
    with pytest.raises(DataError, match="line 2"):
        RunStore(tmp_path).open()


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with RunStore(tmp_path), pytest.raises(ConfigError, match="another process"):
        RunStore(tmp_path).open()


def test_a_manifest_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with RunStore(tmp_path) as store, pytest.raises(DataError, match=r"manifest\.json"):
        store.manifest()
