from __future__ import annotations

import asyncio
import gzip
import io
import json
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from trueval.errors import DataError, InfraError
from trueval.experiment.foreign import FileGrades, grade_file
from trueval.grade.functional import FunctionalGrader
from trueval.tasks.demo import Demo
from trueval.types import Failure, Grade, Program, Reference

DEMO = Demo().load()
RIGHT = {p.problem_id: DEMO.references[p.problem_id].canonical_solution for p in DEMO.problems}


def lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def completions() -> list[dict[str, Any]]:
    return [{"task_id": key, "completion": text} for key, text in RIGHT.items()]


def solutions() -> list[dict[str, Any]]:
    prefixes = {p.problem_id: p.prefix for p in DEMO.problems}
    return [{"task_id": key, "solution": prefixes[key] + text} for key, text in RIGHT.items()]


def grade(file: Path, *, timeout_s: float = 3.0) -> tuple[FileGrades, list[dict[str, Any]]]:
    async def work() -> tuple[FileGrades, list[dict[str, Any]]]:
        grader = FunctionalGrader(timeout_s=timeout_s)
        await grader.open()
        results = io.StringIO()
        try:
            grades = await grade_file(file, DEMO, grader, results=results)
        finally:
            await grader.close()
        return grades, [json.loads(line) for line in results.getvalue().splitlines()]

    return asyncio.run(work())


@pytest.mark.parametrize("rows", [completions(), solutions()], ids=["completion", "solution"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_samples_of_every_format_are_graded(tmp_path: Path, rows: Any, pack: Any) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_bytes(pack(lines(rows)))
    grades, results = grade(file)
    assert grades.outcomes()["passed"] == len(results) == 8
    [estimate] = grades.estimates((1, 10))
    assert (estimate.metric, estimate.value, estimate.method) == ("pass@1", 1.0, "wilson")


def test_several_samples_a_problem_give_pass_at_k(tmp_path: Path) -> None:
    rows = [*completions(), *({**row, "completion": "    pass\n"} for row in completions())]
    file = tmp_path / "samples.jsonl"
    file.write_bytes(lines(rows))
    one, two = grade(file)[0].estimates((1, 2))
    assert (one.value, two.value) == (0.5, 1.0)
    assert one.method == "wilson over problems"


def test_a_wrong_and_an_endless_sample_are_told_apart(tmp_path: Path) -> None:
    rows = completions()
    rows[0]["completion"] = "    while True: pass\n"
    rows[1]["completion"] = "    return 0\n"
    file = tmp_path / "samples.jsonl"
    file.write_bytes(lines(rows))
    grades, results = grade(file, timeout_s=0.5)
    assert {k: n for k, n in grades.outcomes().items() if n} == {
        "passed": 6,
        "wrong": 1,
        "timeout": 1,
    }
    assert {row["line"]: row["verdict"] for row in results}[1] == "timeout"


def test_a_problem_without_samples_takes_the_score_away_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_bytes(lines(completions()[:6]))
    grades, _ = grade(file)
    with pytest.raises(InfraError, match="2 of 8 problems have no sample"):
        grades.estimates((1,))
    [forced] = grades.estimates((1,), force=True)
    assert forced.value == 6 / 8
    assert "2 problems without a sample counted as not passed" in forced.method


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "line 3: not JSON"),
        (b"[]", "line 3: neither a pair of texts nor a mapping"),
        (b'{"completion": ""}', "line 3: no `task_id`"),
        (
            b'{"task_id": "Demo/9", "completion": ""}',
            "line 3: the task 'demo' has no problem 'Demo/9'",
        ),
        (b'{"task_id": "Demo/0"}', "line 3: neither `completion` nor `solution`"),
        (b'{"task_id": "Demo/0", "completion": 1}', "line 3: neither `completion`"),
        (b"\xff\xfe", "line 3: not JSON"),
    ],
)
def test_a_bad_line_is_named_and_those_before_it_are_graded(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_bytes(lines(completions()[:2]) + raw + b"\n")
    results = io.StringIO()

    async def work() -> None:
        grader = FunctionalGrader()
        await grader.open()
        try:
            await grade_file(file, DEMO, grader, results=results)
        finally:
            await grader.close()

    with pytest.raises(DataError) as error:
        asyncio.run(work())
    assert message in error.value.message
    assert len(results.getvalue().splitlines()) == 2


def test_a_gzip_file_that_was_cut_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl.gz"
    file.write_bytes(gzip.compress(lines(completions()))[:-20])
    with pytest.raises(DataError, match="cannot read on after line"):
        grade(file)


class Instant:
    """A grader that costs nothing: what is measured is the reading."""

    name = "instant"
    concurrency = 2

    async def open(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None: ...

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        return Grade(verdict="passed")


MEMORY = f"""
import asyncio, os, resource, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.experiment.test_foreign import DEMO, Instant, grade_file

def peak(file):
    with open(os.devnull, "w") as results:
        asyncio.run(grade_file(Path(file), DEMO, Instant(), results=results))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

few = peak(sys.argv[1])
print(few, peak(sys.argv[2]))
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def write(name: str, count: int) -> Path:
        file = tmp_path / name
        row = lines([{"task_id": "Demo/0", "completion": "    return 1  # " + "x" * 500}])
        with gzip.open(file, "wb", compresslevel=1) as out:
            for _ in range(count // 1000):
                out.write(row * 1000)
        return file

    few, many = write("few.gz", 1_000), write("many.gz", 100_000)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, few, many], capture_output=True, text=True, check=True
    )
    before, after = (int(part) for part in done.stdout.split())
    # 100,000 rows are 55 MB of text; ru_maxrss counts KB here, bytes on macOS.
    unit = 1 if sys.platform != "darwin" else 1024
    assert (after - before) / unit < 8 * 1024
    assert resource.RUSAGE_SELF == 0
