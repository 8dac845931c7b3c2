"""What templates can take out of a problem, with the shapes that HumanEval's have."""

from __future__ import annotations

import pytest

from trueval.errors import ConfigError
from trueval.prompts.parts import (
    PARTS,
    description,
    docstring,
    doctests,
    indent,
    preamble,
    signature,
    without_docstring,
)
from trueval.prompts.template import check, fill, literal
from trueval.tasks.humaneval import HumanEval
from trueval.types import Problem

HELPED = Problem(
    problem_id="x/0",
    prefix="import math\n\n\ndef half(x):\n    return x / 2\n\n\n@cache\ndef f(\n    x: int,\n):\n"
    '    """ Twice.\n    >>> f(1)\n    2\n\n    Never more. {{prefix}}\n    """\n',
    entry_point="f",
)
OPEN = Problem(problem_id="x/1", prefix="import re\n\ndef f(x):\n", entry_point="f")
LATE = Problem(
    problem_id="x/2",
    prefix='def f(x):\n\timport math\n\t"""Doc."""\n',
    entry_point="f",
)
DESCRIBED = Problem(
    problem_id="m/1", prefix='"""\nDouble it.\nassert f(1) == 2\n"""\n', entry_point="f"
)


@pytest.mark.parametrize(
    ("part", "problem", "expected"),
    [
        (preamble, HELPED, "import math\n\n\ndef half(x):\n    return x / 2\n\n\n"),
        (preamble, OPEN, "import re\n\n"),
        (signature, HELPED, "@cache\ndef f(\n    x: int,\n):"),
        (signature, OPEN, "def f(x):"),
        (docstring, HELPED, "Twice.\n>>> f(1)\n2\n\nNever more. {{prefix}}"),
        (docstring, OPEN, ""),
        (docstring, LATE, "Doc."),
        (docstring, DESCRIBED, "Double it.\nassert f(1) == 2"),
        (doctests, HELPED, ">>> f(1)\n2"),
        (doctests, OPEN, ""),
        (description, HELPED, "Twice.\n\nNever more. {{prefix}}"),
        (without_docstring, LATE, "def f(x):\n\timport math\n"),
        (without_docstring, OPEN, OPEN.prefix),
        (indent, HELPED, "    "),
        (indent, OPEN, "    "),
        (indent, DESCRIBED, ""),
    ],
)
def test_each_part_is_read_off_the_problem(part: object, problem: Problem, expected: str) -> None:
    assert callable(part)
    assert part(problem) == expected


def test_every_part_can_be_had_of_every_problem_of_humaneval() -> None:
    for problem in HumanEval().load().problems:
        parts = {name: part(problem) for name, part in PARTS.items()}
        assert parts["preamble"] + parts["signature"] in problem.prefix
        assert parts["docstring"].strip()


def test_a_problem_without_a_function_says_so() -> None:
    with pytest.raises(ConfigError, match="m/1 shows no function 'f'") as error:
        signature(DESCRIBED)
    assert "--prompt minimal" in error.value.hint


def test_a_filter_makes_a_comment_of_every_line() -> None:
    assert fill("{{ doctests | comment }}!", HELPED) == "# >>> f(1)\n# 2!"


@pytest.mark.parametrize(
    ("template", "hint"),
    [("{{prefx}}", "did you mean 'prefix'?"), ("{{prefix | coment}}", "did you mean 'comment'?")],
)
def test_an_unknown_placeholder_or_filter_is_told_the_nearest(template: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        check(template)
    assert hint in error.value.hint


def test_what_is_left_of_a_template_is_its_authors_own() -> None:
    assert literal("# Do it.\n{{prefix}}") == "# Do it.\n "
