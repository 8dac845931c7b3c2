"""SantaCoder-FIM on stand-ins of its rows: the joining rule, the languages, the formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tasks import standins
from tests.tasks.references import failing, whole
from trueval.errors import DataError, MissingExtraError
from trueval.tasks import santacoder, sources
from trueval.tasks.rows import sha256, write_rows
from trueval.tasks.santacoder import (
    SantaCoderFIM,
    SantaCoderJava,
    SantaCoderJavaScript,
    SantaCoderPython,
    glue,
)

ROWS = standins.santacoder_rows()
PY = [row for row in ROWS if row["language"] == "py"]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins' digests in the place of the benchmark's."""
    published = replace(sources.SANTACODER, sha256=sha256(write_rows(ROWS)), rows=len(ROWS))
    monkeypatch.setattr(SantaCoderFIM, "published", published)
    monkeypatch.setattr(santacoder, "PY_SHA256", sha256(write_rows(PY))[:8])


@pytest.fixture
def file(tmp_path: Path) -> str:
    return standins.write_jsonl(tmp_path / "rows.jsonl", ROWS)


@pytest.mark.parametrize(
    ("task", "count"),
    [(SantaCoderFIM, 11), (SantaCoderPython, 4), (SantaCoderJava, 4), (SantaCoderJavaScript, 3)],
)
def test_each_language_is_a_task_and_all_are_one(
    file: str, task: type[SantaCoderFIM], count: int
) -> None:
    data = task(file=file).load()
    assert len(data.problems) == count
    assert data.hole == "line"
    assert ("pass" in data.metrics) is (task is SantaCoderPython)
    assert data.metrics[0] == "first-line"


def test_filled_with_the_true_line_each_hole_gives_its_program(file: str) -> None:
    programs = {
        "py": standins.PY_PROMPT + standins.PY_BODY,
        "js": standins.JS_PROMPT + standins.JS_BODY,
        # The last line has no newline in the benchmark, and gets one.
        "java": standins.JAVA_PROMPT + standins.JAVA_BODY,
    }
    data = SantaCoderFIM(file=file).load()
    for problem in data.problems:
        text = whole(problem, data.references[problem.problem_id].canonical_solution)
        program = programs[problem.problem_id.split("/")[0]]
        assert text.removesuffix("\n") == program.removesuffix("\n")


@pytest.mark.parametrize(
    ("name", "prompt", "before"),
    [
        ("x-L3", "a\nb\n", ""),  # the first line of the body
        ("x-L4", "a\nb\nline", "\n"),  # the second, after a line without its newline
        ("x-L5", "a\nb\nline\nline", "\n"),
        ("x-L5", "a\nb\nline\n", "\n"),  # after a blank line
    ],
)
def test_a_newline_goes_before_all_but_the_first_line(name: str, prompt: str, before: str) -> None:
    assert glue({"name": name, "prompt": prompt}) == (before, "\n")


def test_a_name_without_a_line_number_is_refused() -> None:
    with pytest.raises(DataError, match="does not end with a line number"):
        glue({"name": "humaneval-1", "prompt": ""})


def test_python_s_tests_are_a_check_that_nobody_calls_yet(file: str) -> None:
    data = SantaCoderPython(file=file).load()
    for reference in data.references.values():
        assert reference.entry_point == "total"
        assert reference.test.startswith("def check(candidate):")
        assert "test_check" not in reference.test
        assert "def shift(" in reference.prelude
        assert "def total(" not in reference.prelude


def test_every_true_python_line_passes(file: str) -> None:
    assert failing(SantaCoderPython(file=file).load()) == {}


def test_the_python_rows_alone_will_do_for_python_only(tmp_path: Path) -> None:
    alone = standins.write_jsonl(tmp_path / "py.jsonl", PY)
    data = SantaCoderPython(file=alone).load()
    assert data.digest == sha256(write_rows(PY))
    with pytest.raises(DataError, match="not santacoder-fim as published"):
        SantaCoderJava(file=alone).load()


def test_parquet_and_json_lines_have_one_digest(tmp_path: Path, file: str) -> None:
    pytest.importorskip("pyarrow")
    columns = [{**row, "more": "x"} for row in ROWS]
    packed = standins.write_parquet(tmp_path / "rows.parquet", columns)
    from_parquet, from_lines = SantaCoderFIM(file=packed).load(), SantaCoderFIM(file=file).load()
    assert from_parquet == from_lines


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError("no pyarrow")

    monkeypatch.setattr("trueval.tasks.formats.importlib.import_module", missing)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1...")
    with pytest.raises(MissingExtraError, match="pip install"):
        SantaCoderFIM(file=str(tmp_path / "rows.parquet")).load()


def test_damaged_parquet_is_one_message(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1" + b"x" * 100)
    with pytest.raises(DataError, match="damaged parquet"):
        SantaCoderFIM(file=str(tmp_path / "rows.parquet")).load()
