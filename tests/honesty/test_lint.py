"""The leak lint: all of twenty planted leaks, and nothing in what is clean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import trueval
from tests.honesty.leaks_planted import INNOCENT, INNOCENT_PYTHON, PLANTED, Planted
from tests.tasks.references import SHARED
from trueval.grade.functional import FunctionalGrader
from trueval.honesty.lint import lint_text
from trueval.honesty.lint_behaviour import lint_behaviour
from trueval.honesty.lint_codes import CODES
from trueval.honesty.lint_index import BenchmarkIndex, index, is_ordinary
from trueval.honesty.lint_python import lint_python
from trueval.honesty.lint_source import functions_in
from trueval.prompts.strategy import library
from trueval.tasks.humaneval import HumanEval
from trueval.tasks.mbpp import MBPPSanitized

ROOT = Path(trueval.__file__).parent
MBPP_FILE = SHARED / "mbpp-sanitized.jsonl.gz"
HUMANEVAL = index(HumanEval().load())
INDEXES = [HUMANEVAL]
if MBPP_FILE.exists():
    INDEXES.append(index(MBPPSanitized(file=str(MBPP_FILE)).load()))
CLEAN = sorted(name for name, prompt in library().items() if prompt.provenance == "clean")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(workers=2)
    await grader.open()
    yield grader
    await grader.close()


async def by_running(
    text: str, grader: FunctionalGrader, indexes: list[BenchmarkIndex]
) -> set[str]:
    found = set()
    isolation = await grader.open()
    for each in indexes:
        ran = await lint_behaviour(functions_in(text), each, grader, isolation=isolation)
        found |= {finding.code for finding in ran}
    return found


def test_twenty_leaks_are_planted() -> None:
    assert len(PLANTED) == len({planted.name for planted in PLANTED}) == 20
    assert {planted.code for planted in PLANTED} <= set(CODES)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
async def test_every_planted_leak_is_found(planted: Planted, grader: FunctionalGrader) -> None:
    look = lint_python if planted.is_python else lint_text
    found = {finding.code for finding in look(planted.text, [HUMANEVAL])}
    if planted.code == "TV108":
        found = await by_running(planted.text, grader, [HUMANEVAL])
    assert planted.code in found


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_of_the_clean_library_is_flagged_by_reading(name: str) -> None:
    assert lint_text(library()[name].own_text, INDEXES) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name in CLEAN if functions_in(library()[name].own_text)])
async def test_no_example_of_the_clean_library_solves_a_problem(
    name: str, grader: FunctionalGrader
) -> None:
    assert await by_running(library()[name].own_text, grader, INDEXES) == set()


@pytest.mark.parametrize("text", INNOCENT)
def test_ordinary_words_are_no_leak(text: str) -> None:
    assert lint_text(text, INDEXES) == []


@pytest.mark.parametrize("source", INNOCENT_PYTHON)
def test_code_that_treats_all_problems_alike_is_no_patch(source: str) -> None:
    assert lint_python(source, INDEXES) == []


@pytest.mark.parametrize("file", sorted((ROOT / "postprocess").glob("*.py")), ids=lambda f: f.name)
def test_our_own_post_processors_patch_no_problem(file: Path) -> None:
    assert lint_python(file.read_text("utf-8"), INDEXES) == []


def test_every_canonical_solution_is_known_by_reading() -> None:
    missed = []
    for reference in HUMANEVAL.task.references.values():
        text = f"Example:\n\n{reference.prelude}{reference.canonical_solution}"
        if "TV107" not in {finding.code for finding in lint_text(text, [HUMANEVAL])}:
            missed.append(reference.problem_id)
    assert missed == []


@pytest.mark.parametrize(
    ("name", "ordinary"),
    [("add", True), ("f", True), ("is_prime", False), ("digitSum", False), ("Search", True)],
)
def test_a_name_of_one_word_is_ordinary(name: str, ordinary: bool) -> None:
    assert is_ordinary(name) is ordinary


@pytest.mark.asyncio(loop_scope="module")
async def test_what_ran_once_is_remembered(
    grader: FunctionalGrader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueval.honesty.lint_behaviour.cache_dir", lambda: tmp_path)
    text = "half = lambda number: number - int(number)\n"
    assert await by_running(text, grader, [HUMANEVAL]) == {"TV108"}
    [file] = (tmp_path / "leaks").iterdir()
    file.write_text("[]")
    assert await by_running(text, grader, [HUMANEVAL]) == set()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def a(x): return x\n", ["a"]),
        ("Prose.\n\n    def a(x):\n        return (\n            x\n        )\n\nMore.", ["a"]),
        ("# def a(x):\n#     return x\n# prose\n", ["a"]),
        (">>> def a(x):\n...     return x\n", ["a"]),
        ("a = lambda x: x\n", ["a"]),
        ("def a(x:\n", []),
        ("class K:\n    def a(self):\n        return 1\n", ["a"]),
    ],
)
def test_functions_are_read_out_of_any_dress(text: str, names: list[str]) -> None:
    assert [function.name for function in functions_in(text)] == names
