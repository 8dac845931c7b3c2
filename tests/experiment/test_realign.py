"""The program that is graded is the one that the model was going on with."""

from __future__ import annotations

import pytest

from trueval.experiment.realign import EDIT, Realigned, realign, realigned, why_not
from trueval.honesty.shapes import SHAPES
from trueval.postprocess.pipeline import Pipeline, join_only
from trueval.prompts.strategy import LibraryPrompt, library, load_prompt
from trueval.tasks.humaneval import HumanEval
from trueval.types import Problem

PREFIX = 'def f(x):\n    """Doc."""\n'
PROBLEM = Problem(problem_id="x/0", prefix=PREFIX, entry_point="f")
GLUE = Pipeline(name="glue", assemble=join_only)
SAME = [
    name
    for name, prompt in library().items()
    if name not in ("minimal_v4", "signature-only", "helper")
]


def prompt(code: str) -> LibraryPrompt:
    return LibraryPrompt(name="p", summary="", mode="completion", code=code)


@pytest.mark.parametrize(
    ("code", "text", "source"),
    [
        # The end of the problem's text, its newline or a comment aside, is its own.
        (PREFIX.rstrip(), "    return x\n", PREFIX + "    return x\n"),
        (PREFIX + "    # Plan:\n", "    return x\n", PREFIX + "    return x\n"),
        # An indentation is gone on with, or the model starts the line over.
        (PREFIX + "    ", "return x\n", PREFIX + "    return x\n"),
        (
            PREFIX + "    ",
            "y = x\n    return y\nprint(1)",
            PREFIX + "    y = x\n    return y\nprint(1)",
        ),
        (PREFIX + "    ", "    return x\n", PREFIX + "    return x\n"),
        (PREFIX + "    ", "\n    return x\n", PREFIX + "\n    return x\n"),
        # Half a statement too.
        (PREFIX + "    return", " x\n", PREFIX + "    return x\n"),
        (PREFIX + "    y = 1\n    return ", "x + y\n", PREFIX + "    y = 1\n    return x + y\n"),
        # Code that was shown in place of the problem's is what is graded.
        ("def f(x):\n", "    return x\n", "def f(x):\n    return x\n"),
        (
            "import math\n\n" + PREFIX,
            "    return x\n",
            "import math\n\n" + PREFIX + "    return x\n",
        ),
        ("def f(x):", " return x\n", "def f(x):\n return x\n"),
    ],
)
def test_an_answer_is_put_after_the_code_it_continues(code: str, text: str, source: str) -> None:
    seen, continued = realign(text, PROBLEM, code)
    assert seen.prefix + continued == source


def test_a_whole_function_is_no_continuation() -> None:
    whole = "def f(x):\n    return x\n"
    assert realign(whole, PROBLEM, PREFIX + "    ") == (PROBLEM, whole)


@pytest.mark.parametrize("name", SAME)
def test_a_prompt_that_shows_the_problem_as_it_is_changes_no_pipeline(name: str) -> None:
    assert realigned(GLUE, load_prompt(name), HumanEval().load().problems[:20]) is GLUE


def test_another_code_is_another_chain_for_the_controls() -> None:
    chains = [
        realigned(GLUE, prompt(c), [PROBLEM]) for c in ("{{prefix}}    ", "import re\n{{prefix}}")
    ]
    assert all(isinstance(chain, Realigned) for chain in chains)
    assert len({chain.name for chain in chains}) == 2
    assert not {"glue"} & {chain.name for chain in chains}


def test_what_was_put_before_an_answer_is_an_edit_by_name() -> None:
    chain = realigned(GLUE, prompt("{{prefix}}    "), [PROBLEM])
    assert chain("return x\n", PROBLEM)[0].edits == (EDIT,)
    assert chain("    return x\n", PROBLEM)[0].edits == ()


@pytest.mark.parametrize("name", ["minimal_v4", "signature-only", "helper"])
def test_canonical_bodies_are_whole_programs_after_realignment(name: str) -> None:
    task = HumanEval().load()
    chain = realigned(GLUE, load_prompt(name), task.problems)
    for problem in task.problems:
        reference = task.references[problem.problem_id]
        for shape in ("bare_body", "newline_body"):
            source = chain(SHAPES[shape](problem, reference), problem)[0].source
            compile(source, "program", "exec")
            assert reference.canonical_solution.strip() in source


@pytest.mark.parametrize("name", sorted(library()))
def test_answers_to_every_prompt_of_the_library_can_be_realigned(name: str) -> None:
    for problem in (PROBLEM, *HumanEval().load().problems):
        assert why_not(load_prompt(name), problem) == ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("{{prefix}}    # Plan: ", "inside a comment"),
        ("{{prefix}}    y = (", "inside a string, a bracket"),
        ('{{prefix}}    """', "inside a string, a bracket"),
        ("{{prefix}}    return", "inside a line"),
        ("# Write {{entry_point}}.\n", "no function 'f'"),
    ],
)
def test_a_prompt_that_no_body_can_follow_is_told_why(code: str, reason: str) -> None:
    assert reason in why_not(prompt(code), PROBLEM)
