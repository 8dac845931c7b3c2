"""Finding the code: which block, where it starts, how far it is indented, what is around it."""

from __future__ import annotations

import random
from textwrap import dedent, indent

import pytest

from trueval.postprocess.clean import SpecialTokens, ThinkBlocks
from trueval.postprocess.extract import AlignBody, EchoedPrompt, Unfence
from trueval.postprocess.fences import blocks
from trueval.postprocess.named import CHAT, DEFAULT
from trueval.postprocess.parsing import line_starts, longest_head, parse, top_level_cuts
from trueval.postprocess.trim import AfterFunction
from trueval.tasks.humaneval import HumanEval
from trueval.types import Problem

PROBLEM = Problem(
    problem_id="x/0",
    prefix='import math\n\n\ndef f(x):\n    """Doc."""\n',
    entry_point="f",
)
BODY = "    if x:\n        return x\n    return 0\n"
WHOLE = "def f(x):\n" + BODY
OTHER = "def f(x):\n    return 1\n"


@pytest.mark.parametrize(
    ("text", "codes", "closed"),
    [
        ("no fence", [], []),
        ("a\n```py\nx\n```\nb", ["x\n"], [True]),
        ("```\nx\n", ["x\n"], [False]),
        ("~~~\n```\nx\n```\n~~~", ["```\nx\n```\n"], [True]),
        ("````\n```\nx\n```\n````", ["```\nx\n```\n"], [True]),
        ("```python\nx\n```python\ny\n```", ["x\n", "y\n"], [True, True]),
        ("  ```\n  x\n  ```", ["  x\n"], [True]),
        ("``` `inline` ```", [], []),
        ("x = '```'\n", [], []),
    ],
)
def test_fenced_blocks_are_read_line_by_line(
    text: str, codes: list[str], closed: list[bool]
) -> None:
    found = blocks(text)
    assert [block.code for block in found] == codes
    assert [block.closed for block in found] == closed
    assert all(text[block.start :].lstrip()[:3] in ("```", "~~~") for block in found)


PAGE = f"A:\n```python\n{OTHER}```\nB:\n```python\n{WHOLE}```\nC:\n```\nprint(f(1))\n```\n"


@pytest.mark.parametrize(
    ("choose", "found"),
    [
        ("defining", OTHER),
        ("last_defining", WHOLE),
        ("first", OTHER),
        ("last", "print(f(1))\n"),
    ],
)
def test_a_policy_chooses_among_blocks(choose: str, found: str) -> None:
    assert Unfence(choose)(PAGE, PROBLEM) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        f"- Step:\n\n  ```python\n{indent(WHOLE, '  ')}  ```\n",
        f"```python\nprint(1)\n```\n```python\n{WHOLE}\nf(1\n```",
        f"{WHOLE}\n```\nf(1)\n```",
    ],
    ids=["indented in a list", "a block that is broken further down", "a page after the code"],
)
def test_the_function_is_found_wherever_it_stands(text: str) -> None:
    assert runs(DEFAULT(text, PROBLEM)[0].source) == 3


def test_a_chat_model_corrects_itself() -> None:
    assert runs(CHAT(PAGE, PROBLEM)[0].source) == 3
    assert runs(DEFAULT(PAGE, PROBLEM)[0].source) == 1


def runs(source: str) -> object:
    namespace: dict[str, object] = {}
    exec(source, namespace)
    return namespace["f"](3)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        BODY.lstrip(),
        dedent(BODY),
        indent(dedent(BODY), "  "),
        indent(dedent(BODY), " " * 8),
        BODY[1:],
        "\n\n" + BODY[1:],
        indent(dedent(BODY), "  ") + "\nIt returns x.\n",
        indent(WHOLE, "    "),
    ],
)
def test_an_indentation_is_found_by_the_smallest_shift_that_parses(text: str) -> None:
    program, _ = DEFAULT(text, PROBLEM)
    assert runs(program.source) == 3
    assert set(program.edits) <= {"align_body", "end_of_function"}


def test_tabs_and_mixed_margins_are_left_alone() -> None:
    text = "  a = 1\n b = 2\n"
    assert AlignBody()(text, PROBLEM) == text


@pytest.mark.parametrize(
    "body", [BODY, BODY.lstrip(), dedent(BODY), WHOLE], ids=["body", "stripped", "flat", "whole"]
)
@pytest.mark.parametrize("echo", [PROBLEM.prefix, PROBLEM.prefix[13:], PROBLEM.prefix * 2])
def test_an_echo_of_the_problem_is_no_part_of_the_answer(echo: str, body: str) -> None:
    assert runs(DEFAULT(echo + body, PROBLEM)[0].source) == 3


def test_an_echo_that_ends_in_the_body_is_a_whole_function_and_stays() -> None:
    text = PROBLEM.prefix + BODY
    assert EchoedPrompt()(text, PROBLEM) == text
    assert DEFAULT(text, PROBLEM)[0].source == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"<think>\nA draft:\n```python\n{OTHER}```\n</think>\n{WHOLE}", f"\n{WHOLE}"),
        (f"I think so.</think>{WHOLE}", WHOLE),
        ("<think>\nand so on", ""),
        (f"<think>a</think><think>b</think>{WHOLE}", WHOLE),
        ("    return '</think>'\n", "    return '</think>'\n"),
        ("Use <think> tags.", "Use <think> tags."),
    ],
)
def test_what_a_model_says_to_itself_is_no_answer(text: str, left: str) -> None:
    assert ThinkBlocks()(text, PROBLEM) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (WHOLE + "<|im_end|>\n<|im_start|>user\n", WHOLE),
        ("<|im_start|>assistant\n" + WHOLE, "\n" + WHOLE),
        ("<s>" + WHOLE + "</s>", WHOLE),
        ("    return '</s>'\n", "    return '</s>'\n"),
        (BODY + "<|endoftext|>def g(): pass", BODY),
    ],
)
def test_tokens_of_a_chat_template_are_dropped(text: str, left: str) -> None:
    assert SpecialTokens()(text, PROBLEM) == left


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ("\ndef test_f():\n    assert f(1) == 1\n", ""),
        ("\ndef main():\n    print(f(1))\n\nmain()\n", ""),
        ("\nclass Pair:\n    pass\n", "\nclass Pair:\n    pass\n"),
        ("\nK = 1\n", "\nK = 1\n"),
    ],
)
def test_second_functions_go_where_nothing_uses_them(after: str, kept: str) -> None:
    assert AfterFunction()(WHOLE + after, PROBLEM) == WHOLE + kept


def test_a_function_that_the_answer_uses_stays() -> None:
    text = "def f(x):\n    return g(x)\n\ndef g(x):\n    return h(x)\n\ndef h(x):\n    return 3\n"
    assert AfterFunction()(text, PROBLEM) == text


def test_the_longest_head_is_that_of_trying_every_cut() -> None:
    task, dice = HumanEval().load(), random.Random(7)
    noise = [*"():\"'[]{}#\n ,=", '"""', "\n\nProse.\n", "\nif x:\n", ' f"{a b}" ', "\r\n", "\x0c"]
    for problem in task.problems[::4]:
        body = task.references[problem.problem_id].canonical_solution
        for before, text in ((problem.prefix, body), ("", problem.prefix + body)):
            for _ in range(4):
                at = dice.randrange(len(text))
                broken = text[:at] + dice.choice(noise) + text[at + dice.randint(0, 1) :]
                for cuts in (None, line_starts(broken)[1:]):
                    every = [*(top_level_cuts(broken) if cuts is None else cuts), len(broken)]
                    heads = (broken[:cut] for cut in reversed(every))
                    found = next((head for head in heads if parse(before + head)), "")
                    assert longest_head(broken, before, cuts=cuts) == found
