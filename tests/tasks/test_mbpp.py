"""MBPP in its two sets, splits and formats."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.references import SHARED, failing
from trueval.errors import ConfigError, DataError
from trueval.stops import cut_at_stop
from trueval.tasks import mbpp, sources
from trueval.tasks.mbpp import MBPP, MBPPSanitized, Split

SANITIZED = SHARED / "mbpp-sanitized.jsonl.gz"
here = pytest.mark.skipif(not SANITIZED.exists(), reason="no official file beside the checkout")

ROWS: list[dict[str, Any]] = [
    {
        "text": "Write a function to double.",
        "code": "import sys\r\ndef half(x):\r\n    return x\r\ndef double(x):\r\n    return 2 * x",
        "task_id": number,
        "test_setup_code": setup,
        "test_list": ["assert double(half(2)) == 4", "assert double(SMALL) == 2 * SMALL"],
        "challenge_test_list": [],
    }
    for number, setup in [
        (3, "SMALL = 1"),
        (11, "SMALL = 2\r\n"),
        (555, "SMALL = 3"),
        (601, "SMALL = 4"),
    ]
]


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stand-in of mbpp.jsonl: its fields, four of its rows, one a split."""
    monkeypatch.setattr(MBPP, "published", replace(sources.MBPP, rows=len(ROWS)))
    file = tmp_path / "mbpp.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(file)


@here
@pytest.mark.parametrize(
    ("split", "count"),
    [("test", 257), ("validation", 43), ("train", 120), ("prompt", 7), ("all", 427)],
)
def test_the_sanitized_set_is_split_by_task_number(split: Split, count: int) -> None:
    data = MBPPSanitized(file=str(SANITIZED), split=split).load()
    assert len(data.problems) == count
    assert data.name == ("mbpp-sanitized" if split == "test" else f"mbpp-sanitized-{split}")
    assert data.digest == sources.MBPP_SANITIZED.sha256


@here
def test_the_official_array_and_its_rows_have_one_digest(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in gzip.decompress(SANITIZED.read_bytes()).splitlines()]
    array = tmp_path / "sanitized-mbpp.json"
    array.write_text(json.dumps(rows))
    turned = tmp_path / "turned.jsonl"  # as other tools write them
    turned.write_text("".join(json.dumps(dict(reversed(row.items()))) + "\n" for row in rows))
    for file in (array, turned):
        data = MBPPSanitized(file=str(file)).load()
        assert data.digest == sources.MBPP_SANITIZED.sha256
        assert data.problems == MBPPSanitized(file=str(SANITIZED)).load().problems


@here
def test_a_changed_row_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "changed.jsonl"
    file.write_bytes(gzip.decompress(SANITIZED.read_bytes()).replace(b"== True", b"== False", 1))
    with pytest.raises(DataError, match="not mbpp-sanitized as published"):
        MBPPSanitized(file=str(file)).load()


@here
def test_the_prompt_is_the_sentence_and_the_first_test() -> None:
    data = MBPPSanitized(file=str(SANITIZED)).load()
    assert data.problems[0].prefix == (
        '"""\nWrite a python function to remove first and last occurrence of a given character '
        'from the string.\nassert remove_Occ("hello","l") == "heo"\n"""\n'
    )
    assert data.problems[0].entry_point == "remove_Occ"


@here
def test_stop_sequences_leave_every_solution_whole() -> None:
    data = MBPPSanitized(file=str(SANITIZED), split="all").load()
    assert data.stop == mbpp.STOP
    for reference in data.references.values():
        assert cut_at_stop(reference.canonical_solution, data.stop) == reference.canonical_solution


@here
def test_every_reference_of_the_sanitized_set_passes_its_asserts() -> None:
    assert failing(MBPPSanitized(file=str(SANITIZED), split="all").load()) == {}


def test_the_full_set_has_set_up_code_and_carriage_returns(full: str) -> None:
    data = MBPP(file=full).load()
    [reference] = data.references.values()
    assert reference.problem_id == "MBPP/11"
    assert reference.entry_point == "double"
    assert "\r" not in reference.canonical_solution + reference.test
    assert reference.test.startswith("SMALL = 2\n")
    assert "unverified" in data.source
    assert failing(MBPP(file=full, split="all").load()) == {}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="no split 'tset'") as error:
        MBPP(split="tset")  # type: ignore[arg-type]
    assert "did you mean 'test'?" in error.value.hint


def test_a_file_that_is_not_all_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mbpp.jsonl"
    file.write_text(json.dumps(ROWS[0]) + "\n")
    with pytest.raises(DataError, match="has 1 problems, and mbpp has 974"):
        MBPP(file=str(file)).load()
