"""HumanEval+ and MBPP+ on stand-ins of their rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tasks import standins
from tests.tasks.references import failing
from trueval.errors import DataError
from trueval.tasks import sources
from trueval.tasks.evalplus import (
    _RESTORE,
    HumanEvalPlus,
    MBPPPlus,
    _facts,
    humaneval_inputs,
    mbpp_inputs,
)
from trueval.tasks.humaneval import humaneval_lines
from trueval.tasks.rows import read_rows
from trueval.types import Inputs


def row(
    name: str, solution: str, *inputs: list[Any], number: int = 9, **more: Any
) -> dict[str, Any]:
    return {
        "task_id": f"Mbpp/{number}",
        "prompt": '"""\nWhat to do.\n"""\n',
        "entry_point": name,
        "canonical_solution": solution,
        "base_input": list(inputs[:1]),
        "plus_input": list(inputs[1:]),
        "atol": 0,
        "contract": "",
        "assertion": "assert False",
        **more,
    }


def right(inputs: Inputs, got: Any, expected: Any = None) -> bool:
    """What a source oracle says of an answer to the first input."""
    namespace: dict[str, Any] = {}
    exec(inputs.oracle, namespace)
    return bool(namespace["check"](inputs.args[0], expected, got))


ROWS = [
    row("f", "\ndef f(x):\n    return x + 1\n", [1], [2], [3]),
    row(
        "similar_elements",
        "\ndef similar_elements(a, b):\n    return tuple({*a} & {*b})\n",
        [[1, 2], [2, 1]],
        [[5], [5]],
        number=2,
    ),
    row(
        "check_str",
        "\nimport re\ndef check_str(s):\n    return re.match('a', s)\n",
        ["a"],
        ["b"],
        number=454,
    ),
    row("sum_div", "\ndef sum_div(n):\n    return n\n", [1], number=295),
]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    published = replace(sources.MBPP_PLUS, md5="", rows=len(ROWS))
    monkeypatch.setattr(MBPPPlus, "published", published)
    return standins.write_jsonl(tmp_path / "MbppPlus.jsonl", ROWS)


def test_the_inputs_of_both_kinds_are_all_run(file: str) -> None:
    data = MBPPPlus(file=file).load()
    inputs = data.references["Mbpp/9"].inputs
    assert inputs is not None
    assert inputs.args == ((1,), (2,), (3,))
    assert {id_: ref.inputs.oracle for id_, ref in data.references.items() if ref.inputs} == {
        "Mbpp/9": "equal",
        "Mbpp/2": "set-equal",
        "Mbpp/454": "not-none",
        "Mbpp/295": mbpp_inputs(ROWS[3]).oracle,
    }
    assert "unverified" in data.source


def test_every_reference_passes_the_inputs(file: str) -> None:
    assert failing(MBPPPlus(file=file).load()) == {}


def test_another_version_s_file_is_refused(tmp_path: Path) -> None:
    file = standins.write_jsonl(tmp_path / "HumanEvalPlus.jsonl", ROWS)
    with pytest.raises(DataError, match=r"not humaneval\+ as published: MD5"):
        HumanEvalPlus(file=file).load()


def test_a_root_is_right_wherever_it_lies() -> None:
    inputs = humaneval_inputs(row("find_zero", "", [[-2, 0, 0.5]], atol=1e-4))
    assert right(inputs, 2.0)
    assert right(inputs, -2.00001)
    assert not right(inputs, 1.9)


def test_humaneval_s_own_solution_finds_its_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HumanEvalPlus, "published", replace(sources.HUMANEVAL_PLUS, md5="", rows=1))
    [original] = [
        one for one in read_rows(humaneval_lines(), where="") if one["entry_point"] == "find_zero"
    ]
    more = {"base_input": [[[1, 2]]], "plus_input": [[[-6, 11, -6, 1]]], "atol": 1e-4}
    data = HumanEvalPlus(
        file=standins.write_jsonl(tmp_path / "plus.jsonl", [{**original, **more}])
    ).load()
    assert failing(data) == {}
    wrong = {**original, **more, "canonical_solution": "    return 0.3\n"}
    data = HumanEvalPlus(file=standins.write_jsonl(tmp_path / "wrong.jsonl", [wrong])).load()
    assert [*failing(data)] == ["HumanEval/32"]


@pytest.mark.parametrize(
    ("name", "args", "expected", "answers"),
    [
        ("are_equivalent", [1, 2], False, {True: True, False: True}),
        ("sum_div", [8], 7, {7: True, 0: True, 8: False}),
        # 3 x 3 base; the side's height is 4, or the pyramid's is: then a side has sqrt(18.25).
        ("surface_Area", [3, 4], 33, {33: True, 35: True, 34: False}),
        ("digit_distance_nums", [23, 456], 9, {9: True, 10: True, 11: False}),
    ],
)
def test_where_a_sentence_has_two_readings_both_are_right(
    name: str, args: list[Any], expected: Any, answers: dict[Any, bool]
) -> None:
    inputs = mbpp_inputs(row(name, "", args))
    assert {got: right(inputs, got, expected) for got in answers} == answers


@pytest.mark.parametrize(
    ("number", "given", "restored"),
    [
        (2, [[1], [2]], ((1,), (2,))),
        (63, [[[1, 2], [3]]], ([(1, 2), (3,)],)),
        (75, [[[1, 2]], 3], ([(1, 2)], 3)),
        (106, [[1], [2, 3]], ([1], (2, 3))),
        (115, [[[1, 2], [], {}]], ([{1, 2}, {}, {}],)),
        (124, ["1.5", "1j"], (1.5, 1j)),
        (250, [[1, 2], 3], ((1, 2), 3)),
        (252, ["(1+2j)"], (1 + 2j,)),
        (259, [[[1], [2]], [[3]]], (((1,), (2,)), ((3,),))),
        (278, [[1, [2, 3]]], ((1, (2, 3)),)),
        (307, [[1, [2]], 3, 4], ((1, [2]), 3, 4)),
        (580, [[1, [2, [3]]]], ((1, (2, (3,))),)),
        (722, [{"a": [1, 2]}, 3], ({"a": (1, 2)}, 3)),
        (9, [[1, [2]]], ([1, [2]],)),
    ],
)
def test_arguments_get_the_types_back_that_json_lost(
    number: int, given: list[Any], restored: tuple[Any, ...]
) -> None:
    assert mbpp_inputs(row("f", "", given, number=number)).args == (restored,)


def test_no_problem_is_restored_in_two_ways() -> None:
    numbers = [number for group in _facts()["arguments"].values() for number in group]
    assert len(numbers) == len(set(numbers))
    assert set(_facts()["arguments"]) == set(_RESTORE)


def test_inputs_that_are_not_as_expected_are_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MBPPPlus, "published", replace(sources.MBPP_PLUS, md5="", rows=1))
    file = tmp_path / "MbppPlus.jsonl"
    file.write_text(json.dumps(row("f", "", ["x"], number=252)))
    with pytest.raises(DataError, match="the inputs of Mbpp/252 cannot be used"):
        MBPPPlus(file=str(file)).load()
