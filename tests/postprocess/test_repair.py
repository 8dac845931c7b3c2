"""Repairs: each mends one thing by what the parser says, or leaves the text as it is."""

from __future__ import annotations

import ast

import pytest

from trueval import registry
from trueval.honesty.shapes import CHEATS
from trueval.postprocess.imports import MEMBERS, MODULES, MissingImports
from trueval.postprocess.named import DEFAULT, POST_V1, POST_V5
from trueval.postprocess.repair import (
    EmptyBlock,
    MissingColon,
    OpenString,
    Repetition,
    WholeStatements,
)
from trueval.types import Problem

PROBLEM = Problem(
    problem_id="x/0", prefix='import math\n\n\ndef f(x):\n    """Doc."""\n', entry_point="f"
)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('    """Add.\n    return x\n', '    """Add."""\n    return x\n'),
        ("    '''Add.\n\n    Well.\n    return x\n", "    '''Add.'''\n\n    Well.\n    return x\n"),
        ('    y = x\n    """', '    y = x\n    """"""'),
        ('def f(x):\n    r"""Add.\n    return x\n', 'def f(x):\n    r"""Add."""\n    return x\n'),
        ("    return '''a'''\n", None),
        ("    return 'a\n", None),
    ],
)
def test_an_open_triple_quote_is_closed_where_most_is_kept(text: str, mended: str | None) -> None:
    found = OpenString()(text, PROBLEM)
    if mended and "Well." in mended:  # prose is no code: the quote closes after it
        assert found == "    '''Add.\n\n    Well.'''\n    return x\n"
    else:
        assert found == (mended or text)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("    if x\n        return 1\n", "    if x:\n        return 1\n"),
        ("    for y in x  # all\n        pass\n", "    for y in x:  # all\n        pass\n"),
        ("    if x:\n        y = 1\n    else\n        y = 2\n", None),
        ("def f(x)\n    return x\n", "def f(x):\n    return x\n"),
        ("    while x print(x)\n", "    while x: print(x)\n"),
        # Two are not one.
        ("    if x\n        if x\n            return 1\n", ""),
        ("    x = y z\n", ""),
        ("    return x\n", ""),
    ],
)
def test_one_missing_colon_is_added_if_all_then_parses(text: str, mended: str | None) -> None:
    expected = text.replace("else\n", "else:\n") if mended is None else mended or text
    assert MissingColon()(text, PROBLEM) == expected


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("    if x:\n    return 1\n", "    if x:\n        pass\n    return 1\n"),
        ("    for y in x:\n", "    for y in x:\n        pass\n"),
        ("    if x:\n        # later\n    return 1\n", None),
        ("def f(x):\n", "def f(x):\n    pass\n"),
        ("    if x:\n    elif y:\n    return 1\n", None),
        ("    return x\n", "    return x\n"),
        ("", ""),
    ],
)
def test_an_empty_block_gets_a_pass(text: str, mended: str | None) -> None:
    found = EmptyBlock()(text, PROBLEM)
    assert found == mended if mended is not None else found != text
    if text:
        ast.parse(found if found.startswith("def") else PROBLEM.prefix + found)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("    y = 1\n    return y\n    z = (", "    y = 1\n    return y\n"),
        ("    if x:\n        return 1\n    for y in", "    if x:\n        return 1\n"),
        ("def f(x):\n    return x\n\ndef g(", "def f(x):\n    return x\n\n"),
        ("    y = (\n" * 3000, "    y = (\n" * 3000),
        ("    y = 1\n" * 3000 + "    z = (", "    y = 1\n" * 3000),
        ("prose", "prose"),
    ],
)
def test_whole_statements_are_kept_up_to_where_it_breaks(text: str, kept: str) -> None:
    assert WholeStatements()(text, PROBLEM) == kept


LOOP = "    y = x + 1\n    print(y)\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (LOOP * 40, LOOP),
        ("    a = 1\n" + LOOP * 40 + LOOP[:9], "    a = 1\n" + LOOP),
        ("    return '" + "ab" * 500, "    return 'ab"),
        (LOOP * 2, LOOP * 2),
        ("    return x\n", "    return x\n"),
    ],
)
def test_copies_are_dropped_from_the_end(text: str, kept: str) -> None:
    found = Repetition()(text, PROBLEM)
    # Which letter a copy starts with cannot be told.
    assert len(found) <= len(kept) + 1
    assert text.startswith(found)
    assert found.startswith(kept[:-3]) or found == kept


def test_copies_are_meant_unless_the_limit_of_tokens_cut_the_answer() -> None:
    text = LOOP * 40
    assert POST_V5(text, PROBLEM)[1] is None
    program, repaired = POST_V5(text, PROBLEM, cut=True)
    assert program.edits == ()
    assert repaired is not None
    assert repaired.edits == ("repetition",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("    return heapq.nsmallest(1, x)\n", "    import heapq\n"),
        ("    return deepcopy(x)\n", "    from copy import deepcopy\n"),
        ("def f(x: List[int]):\n    return x\n", "from typing import List\n"),
        ("    return product(x)\n", ""),  # of math or of itertools?
        ("    return numpy.array(x)\n", ""),
        ("    return math.sqrt(x)\n", ""),  # the problem has it
        ("    heapq = x\n    return heapq\n", ""),
        ("    from os.path import *\n    return deque(x)\n", ""),
    ],
)
def test_imports_are_added_for_names_that_can_mean_one_thing(text: str, line: str) -> None:
    assert MissingImports()(text, PROBLEM) == line + text


def test_every_name_of_the_tables_is_there_and_has_one_module() -> None:
    import importlib

    for module in MODULES:
        importlib.import_module(module)
    names = [(module, name) for module, text in MEMBERS.items() for name in text.split()]
    assert all(hasattr(importlib.import_module(module), name) for module, name in names)
    assert len({name for _, name in names}) == len(names)


@pytest.mark.parametrize("name", ["repair", "post_v1", "post_v5"])
@pytest.mark.parametrize("text", ["    if x\n        return (", '    """', LOOP * 9, "prose", ""])
def test_a_repair_never_moves_the_headline(name: str, text: str) -> None:
    pipeline = registry.resolve("pipelines", name)
    for cut in (False, True):
        assert pipeline(text, PROBLEM, cut=cut)[0] == DEFAULT(text, PROBLEM)[0]


def test_no_repair_makes_something_of_nothing() -> None:
    for text in ("", "\n\n", "```python\n```", *CHEATS.values()):
        repaired = POST_V5(text, PROBLEM, cut=True)[1]
        assert repaired is None or repaired.source.strip() == PROBLEM.prefix.strip()


def test_the_pipelines_with_a_version_grow() -> None:
    def names(steps: object) -> set[str]:
        return {step.name for step in steps}  # type: ignore[attr-defined]

    assert names(POST_V1.steps) - names(DEFAULT.steps) == {
        *("open_string", "empty_block", "whole_statements", "missing_imports")
    }
    assert names(POST_V5.steps) - names(POST_V1.steps) == {"repetition", "missing_colon"}
