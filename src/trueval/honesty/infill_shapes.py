"""Answers that controls and the null floor put into holes: right ones, cheats, and no effort."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from trueval.types import Hole, Problem, Reference

Shape = Callable[[Problem, Reference], str]


def middle(_problem: Problem, reference: Reference) -> str:
    """The middle as the benchmark has it."""
    return reference.canonical_solution


def without_final_newline(_problem: Problem, reference: Reference) -> str:
    """The middle as a model leaves it that stops at the end of the line."""
    return reference.canonical_solution.removesuffix("\n")


def fenced_middle(_problem: Problem, reference: Reference) -> str:
    """The missing lines in a Markdown block."""
    return f"```python\n{reference.canonical_solution.removesuffix(chr(10))}\n```"


def whole_function(problem: Problem, reference: Reference) -> str:
    """The whole program around the hole in a Markdown block, as chat models like to answer."""
    return f"```python\n{filled(problem, reference.canonical_solution)}\n```"


def filled(problem: Problem, text: str) -> str:
    """The program with a text in its hole."""
    before, after = problem.glue
    return problem.prefix + before + text + after + problem.suffix


def infill_shapes(
    hole: Hole, *, chat: bool, end_tokens: Sequence[str], as_it_is: bool = False
) -> Mapping[str, Shape]:
    """Right answers by the name of their shape, for a kind of hole and of model.

    `as_it_is`: for a pipeline without a step, which can read no other shape than the middle.
    """
    if as_it_is:
        return {"middle": middle}
    if chat:
        # Of a span, a block does not tell which white space at its ends belongs to it.
        in_a_block = {"fenced_middle": fenced_middle} if hole != "span" else {}
        return {**in_a_block, "whole_function": whole_function}
    shapes: dict[str, Shape] = {"middle": middle}
    if hole != "span":
        shapes["without_final_newline"] = without_final_newline
    for token in end_tokens:

        def with_token(problem: Problem, reference: Reference, token: str = token) -> str:
            return middle(problem, reference) + token

        shapes[f"middle, then {token}"] = with_token
    return shapes


PROBE = "raise"
"""The cheat that shows whether any test reaches the hole: where it passes, anything would."""

CHEATS: Mapping[str, str] = MappingProxyType(
    {
        "endless loop": "while True: pass",
        PROBE: "raise Exception('no idea')",
        "sys.exit(0)": "import sys; sys.exit(0)",
        "os._exit(0)": "__import__('os')._exit(0)",
        "always equal": "return type('Equal', (), {name: (lambda *_: True) for name in "
        "('__eq__', '__lt__', '__le__', '__gt__', '__ge__', '__contains__', '__bool__')})()",
        "no program": "((((",
    }
)
"""One-line middles that solve nothing, by name; indented as the true middle is."""

EXCUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(CHEATS, (PROBE,)),
        # In a helper of the program's own it is no more than a true value.
        "always equal": (PROBE, "return True"),
        "no program": (),
        PROBE: (PROBE,),
    }
)
"""Cheat -> middles that show that the tests do not tell: where one of these passes, it may."""

SLOW_CHEATS = {"endless loop": 1}
"""Cheats that each cost a whole time limit, with the number of problems that is enough."""


def cheat(name: str, reference: Reference) -> str:
    """A cheat's middle for one problem; a name that is none stands for itself."""
    return indentation(reference.canonical_solution) + CHEATS.get(name, name) + "\n"


NULL_ANSWERS = ("empty", "pass", "previous line", "next line")
"""Answers that take no model: what a score has to be above."""


def null_answer(name: str, problem: Problem, reference: Reference) -> str:
    """What that answer puts into a problem's hole."""
    before, after = _last_line(problem.prefix), _first_line(problem.suffix)
    return {
        "empty": "",
        # As far in as the true middle, which makes the floor no lower than it could be.
        "pass": f"{indentation(reference.canonical_solution)}pass\n",
        "previous line": f"{before}\n",
        "next line": f"{after}\n",
    }[name]


def indentation(text: str) -> str:
    """The white space before the first line that has anything else."""
    line = _first_line(text)
    return line[: len(line) - len(line.lstrip())]


def _first_line(text: str) -> str:
    return next((line for line in text.split("\n") if line.strip()), "")


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.split("\n")) if line.strip()), "")
