from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trueval.errors import DataError
from trueval.experiment.cache import Cache, CachedBackend, CachedGrader, Hits
from trueval.experiment.cache_file import CacheFile, clear, stats
from trueval.generate.scripted import ScriptedBackend
from trueval.grade.functional import FunctionalGrader
from trueval.protocols import Backend, Grader
from trueval.tasks.demo import Demo
from trueval.types import (
    Completion,
    Failure,
    Grade,
    Program,
    Reference,
    Request,
    SamplingParams,
    TextPrompt,
)

Run = Callable[..., Any]
CALLS = Counter[str]
FACTS = {"id": "m", "revision": "1", "mode": "completion", "pinned": True, "engine": "e"}
LIMITS = {"isolation": "full", "timeout_s": 3.0, "workers": 4, "background": False}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("trueval.experiment.cache_file.cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "cache.sqlite"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> CALLS:
    """What the engine and the sandbox were asked to do, controls not counted."""
    counted: CALLS = Counter()
    draw, init = ScriptedBackend.draw, CachedGrader.__init__

    async def counting_draw(self: Any, request: Request) -> Completion | Failure:
        counted["draw"] += 1
        return await draw(self, request)

    def counting_init(self: Any, inner: Grader, *args: Any, **options: Any) -> None:
        init(self, inner, *args, **options)
        self.inner = _Counting(inner, counted)

    monkeypatch.setattr(ScriptedBackend, "draw", counting_draw)
    monkeypatch.setattr(CachedGrader, "__init__", counting_init)
    return counted


class _Counting:
    def __init__(self, inner: Grader, counted: CALLS) -> None:
        self.inner = inner
        self.counted = counted

    async def grade(self, *args: Any, **options: Any) -> Grade | Failure:
        self.counted["grade"] += 1
        return await self.inner.grade(*args, **options)


class FakeGrader:
    """Says what it is told to, and counts."""

    name = "fake"
    concurrency = 1

    def __init__(self, *answers: Grade | Failure) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def open(self) -> dict[str, Any]:
        return dict(LIMITS)

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        self.calls += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def close(self) -> None:
        pass


REFERENCE = Reference(
    problem_id="p", entry_point="f", test="def check(f): ...", canonical_solution=""
)
PROGRAM = Program(source="def f(): ...")


def request(**changes: Any) -> Request:
    fields = {"problem_id": "Demo/0", "sample_index": 0, "model": "m@1", "params": SamplingParams()}
    return Request(prompt=TextPrompt(text="def"), **{**fields, **changes})


def cached(grader: Grader, **facts: Any) -> CachedGrader:
    return CachedGrader(grader, CacheFile.open(), Hits(), isolation={**LIMITS, **facts})


def samples(summary: Any) -> list[Any]:
    lines = (Path(summary["run_dir"]) / "samples.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:  # equal programs that were graded side by side have a time each
        row["grade"].pop("duration_s")
    return rows


# --------------------------------------------------------------------------- runs


def test_the_same_run_under_another_name_draws_and_grades_nothing(
    run_demo: Run, calls: CALLS
) -> None:
    settings = {"samples": 20, "sampling": {"temperature": 0.5}, "cache": True}
    first = run_demo(name="first", **settings)
    assert calls["draw"] == 160
    once = dict(calls)
    second = run_demo(name="second", **settings)
    assert dict(calls) == once
    assert samples(second) == samples(first)
    assert second["raw"] == first["raw"]
    assert "160 of 160 completions and grades from the cache" in second["notes"]


def test_cached_tokens_do_not_make_an_engine_look_fast(run_demo: Run) -> None:
    first = run_demo(name="first", cache=True)
    second = run_demo(name="second", cache=True)
    assert first["time"]["tokens_per_s"] > 0
    assert second["time"]["tokens_per_s"] == 0
    assert second["tokens"] == first["tokens"]


def test_a_longer_run_draws_only_what_is_new(run_demo: Run, calls: CALLS) -> None:
    run_demo(name="short", limit=3, cache=True)
    summary = run_demo(name="long", cache=True)
    assert calls["draw"] == 8
    assert "3 of 8 completions and grades from the cache" in summary["notes"]


def test_other_timeouts_grade_anew_what_was_drawn_once(run_demo: Run, calls: CALLS) -> None:
    run_demo(name="a", cache=True)
    summary = run_demo(name="b", cache=True, grading={"timeout_s": 2.5})
    assert calls == {"draw": 8, "grade": 16}
    assert "from the cache: 8 of 8 completions, 0 of 8 grades" in summary["notes"]


def test_without_cache_nothing_is_read_or_kept(run_demo: Run, calls: CALLS) -> None:
    run_demo(name="kept", cache=True)
    summary = run_demo(name="anew", cache=False)
    assert calls["draw"] == 16
    assert not any("cache" in note for note in summary["notes"])


def test_a_failure_is_asked_again_each_time(
    run_demo: Run, script: Callable[..., str], canonical_rows: list[dict[str, str]], calls: CALLS
) -> None:
    rows = [{"problem_id": "Demo/0", "failure": "503"}, *canonical_rows[1:]]
    for name in ("a", "b"):
        run_demo(model=script(rows), name=name, cache=True)
    assert calls["draw"] == 8 + 1


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_broken_file_is_left_aside_and_the_run_goes_on(
    run_demo: Run, own_cache: Path, content: bytes
) -> None:
    own_cache.parent.mkdir()
    own_cache.write_bytes(content)
    summary = run_demo(cache=True)
    assert summary["raw"]["outcomes"]["passed"] == 6
    [note] = [note for note in summary["notes"] if "cache" in note]
    assert "was not used" in note
    with pytest.raises(DataError, match="trueval cache clear"):
        stats()
    clear()
    assert stats().completions == 0
    assert not any("cache" in note for note in run_demo(cache=True, name="again")["notes"])


# --------------------------------------------------------------------------- completions


@pytest.mark.parametrize(
    "changes",
    [
        {"sample_index": 1},
        {"model": "m@2"},
        {"prompt": TextPrompt(text="class")},
        {"params": SamplingParams(seed=1)},
        {"params": SamplingParams(stop=("\n",))},
        {"problem_id": "Demo/1"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_any_other_request_is_drawn(changes: dict[str, Any], calls: CALLS) -> None:
    backend = CachedBackend(ScriptedBackend(), CacheFile.open(), Hits())
    await backend.open()
    assert isinstance(backend, Backend)
    fields = {"prompt": TextPrompt(text="def"), **changes}
    for asked in (request(), Request(**{**_fields(request()), **fields}), request()):
        await backend.draw(asked)
    assert calls["draw"] == 2


def _fields(asked: Request) -> dict[str, Any]:
    names = ("problem_id", "sample_index", "model", "prompt", "params")
    return {name: getattr(asked, name) for name in names}


@pytest.mark.parametrize(
    ("facts", "drawn"),
    [
        ({}, 1),
        ({"file": "moved.gguf", "mode": "chat"}, 1),
        ({"engine": "e 2"}, 2),
        ({"precision": "bf16"}, 2),
        ({"context_length": 99}, 2),
    ],
)
async def test_another_engine_draws_anew(facts: dict[str, Any], drawn: int, calls: CALLS) -> None:
    for model in (FACTS, {**FACTS, **facts}):
        inner = ScriptedBackend()
        await inner.open()
        await CachedBackend(inner, CacheFile.open(), Hits(), model=model).draw(request())
    assert calls["draw"] == drawn


@pytest.mark.parametrize("pinned", [False, None])
def test_a_model_that_may_change_under_its_name_is_not_cached(pinned: bool | None) -> None:
    backend = ScriptedBackend()
    assert Cache.open(on=True).backend(backend, {**FACTS, "pinned": pinned}) is backend


# --------------------------------------------------------------------------- grades


@pytest.mark.parametrize(
    ("grade", "calls"),
    [
        (Grade(verdict="passed"), 1),
        (Grade(verdict="wrong", cause="wrong", detail="\ud800"), 1),
        (Grade(verdict="out_of_memory", cause="out-of-memory"), 1),
        (Grade(verdict="timeout", cause="timeout-cpu"), 2),
        (Grade(verdict="crashed", cause="signal"), 2),
        (Failure(stage="grade", message="no room"), 2),
    ],
)
async def test_a_verdict_that_load_may_have_made_is_not_kept(
    grade: Grade | Failure, calls: int
) -> None:
    inner = FakeGrader(grade)
    found = [await cached(inner).grade(PROGRAM, REFERENCE) for _ in range(2)]
    assert inner.calls == calls
    assert found == [grade, grade]


async def test_a_timeout_alone_is_kept_and_not_tried_again() -> None:
    inner = FakeGrader(Grade(verdict="timeout"))
    await cached(inner).grade(PROGRAM, REFERENCE, alone=True)
    again = await cached(inner).grade(PROGRAM, REFERENCE)
    assert isinstance(again, Grade)
    assert (again.verdict, again.alone, inner.calls) == ("timeout", True, 1)


@pytest.mark.parametrize(
    ("facts", "calls"),
    [
        ({"workers": 8, "background": True}, 1),
        ({"timeout_s": 4.0}, 2),
        ({"isolation": "filtered"}, 2),
        ({"python": "3.99"}, 2),
    ],
)
async def test_a_verdict_holds_under_its_limits_and_isolation(
    facts: dict[str, Any], calls: int
) -> None:
    inner = FakeGrader(Grade(verdict="passed"))
    await cached(inner).grade(PROGRAM, REFERENCE)
    await cached(inner, **facts).grade(PROGRAM, REFERENCE)
    assert inner.calls == calls


async def test_a_changed_test_or_grader_grades_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = FakeGrader(Grade(verdict="passed"))
    reference = next(iter(Demo().load().references.values()))
    await cached(inner).grade(PROGRAM, REFERENCE)
    await cached(inner).grade(PROGRAM, reference)
    monkeypatch.setattr("trueval.experiment.cache.code_digest", lambda _module: "edited")
    await cached(inner).grade(PROGRAM, REFERENCE)
    assert inner.calls == 3


def test_nothing_is_kept_where_a_program_could_write_the_cache() -> None:
    grader = FunctionalGrader()
    assert Cache.open(on=True).grader(grader, {"isolation": "bare"}) is grader


# --------------------------------------------------------------------------- the file


def test_several_processes_write_at_once(own_cache: Path) -> None:
    own_cache.parent.mkdir()
    code = (
        "import sys; from pathlib import Path\n"
        "from trueval.experiment.cache_file import CacheFile\n"
        "file = CacheFile.open(Path(sys.argv[1]))\n"
        "for i in range(200): file.put('grades', f'{sys.argv[2]}-{i}', {'verdict': 'passed'})\n"
        "sys.exit(file.trouble or 0)"
    )
    command = [sys.executable, "-c", code, str(own_cache)]
    processes = [subprocess.Popen([*command, str(n)]) for n in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert stats().grades == 600


def test_a_file_of_another_format_is_left_alone(own_cache: Path) -> None:
    CacheFile.open().close()
    with sqlite3.connect(own_cache) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "its format is 99" in CacheFile.open().trouble


def test_clear_forgets_what_it_is_told_to(own_cache: Path) -> None:
    file = CacheFile.open()
    file.put("completions", "a", {"text": "x"})
    file.put("grades", "b", {"verdict": "passed"})
    assert clear("grades") == 1
    assert (stats().completions, stats().grades) == (1, 0)
    assert clear() == 1
    assert stats().size_mb > 0
    file.close()


def test_an_entry_that_cannot_be_read_is_made_again() -> None:
    file = CacheFile.open()
    file.put("grades", "k", {"unknown": 1})
    assert file.get("grades", "k", lambda data: Grade(**data)) is None
    assert not file.trouble
    file.close()


def test_the_command_prints_what_the_file_holds(capsys: pytest.CaptureFixture[str]) -> None:
    from trueval.cli import _main

    assert _main(["cache", "stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["completions"] == 0
    assert _main(["cache", "clear", "--grades"]) == 0
    assert "0 entries deleted" in capsys.readouterr().out
