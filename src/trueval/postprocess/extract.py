"""Steps that find the code in an answer. They move text about, and never change code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice
from textwrap import dedent
from typing import Literal

from trueval.postprocess.fences import Block, blocks
from trueval.postprocess.parsing import (
    body_indent,
    defines,
    is_body,
    longest_head,
    parse,
    preamble,
    starts_definition,
    top_level_cuts,
)
from trueval.types import Effect, Problem

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
OPENERS = ("def ", "async def ", "class ", "import ", "from ", "@")

MAX_BLOCKS = 100
"""How many blocks of one answer are looked at."""

Choice = Literal["defining", "last_defining", "first", "last"]
"""Which fenced block: of those that define the entry point the first or the last (of all, where
none does), or the first or the last of all, whatever is in it."""


class Unfence:
    """Takes one fenced block; all of the text where there is none, or where the code is outside."""

    effect: Effect = "extract"

    def __init__(self, choose: Choice = "defining") -> None:
        self.choose = choose
        self.name = "unfence" if choose == "defining" else f"unfence_{choose}"

    def __call__(self, text: str, problem: Problem) -> str:
        """The code of the chosen block."""
        while (found := self._unfenced(text, problem)) != text:
            text = found
        return text

    def _unfenced(self, text: str, problem: Problem) -> str:
        found = [block for block in blocks(text) if block.code.strip()]
        if not found or is_body(text, problem) or defines(text, problem.entry_point):
            return text
        if self.choose in ("first", "last"):
            return found[0 if self.choose == "first" else -1].code
        defining = self._defining(found, problem)
        # A base model may finish its answer and go on with a Markdown page.
        if is_body(head := text[: found[0].start], problem) and head.strip():
            return text
        if not defining and _defines_at_all(head, problem):
            return text
        return (defining or found)[0 if self.choose == "defining" else -1].code

    def _defining(self, found: list[Block], problem: Problem) -> list[Block]:
        seen = found[:MAX_BLOCKS] if self.choose == "defining" else found[-MAX_BLOCKS:]
        whole = [b for b in seen if defines(dedent(b.code), problem.entry_point)]
        # A block that was cut, or is broken, defines nothing yet; it only starts to.
        return whole or [b for b in seen if _starts_to_define(b.code, problem)]


UNFENCE_FIRST = Unfence("first")
UNFENCE_LAST = Unfence("last")
UNFENCE_LAST_DEFINING = Unfence("last_defining")


class SkipPreface:
    """Drops prose before a whole function, when what follows defines the entry point."""

    name = "skip_preface"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text from its first line that starts a whole function."""
        if is_body(text, problem) or _defines_at_all(text, problem):
            return text
        lines = text.splitlines(keepends=True)
        starts = (i for i, line in enumerate(lines) if line.startswith(OPENERS))
        for start in islice(starts, 20):
            rest = "".join(lines[start:])
            if start and _defines_at_all(rest, problem):
                return rest
        return text


class EchoedPrompt:
    """Drops the problem's own text from the start of an answer that is not whole with it."""

    name = "echoed_prompt"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """What follows the problem's last line; all of it where that is the function's body."""
        while (rest := _after_echo(text, problem)).strip() and not _is_body_at_first(rest, problem):
            text = rest
        return text


class AlignBody:
    """Gives an answer its indentation: the smallest shift under which it parses."""

    name = "align_body"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with its first line, or all of its lines as one, moved to where they belong."""
        if text.lstrip("\r\n")[:1].isspace() and _is_whole(moved := dedent(text), problem):
            return moved
        if not text.strip() or is_body(text, problem) or _defines_at_all(text, problem):
            return text
        shifted = [*_shifts(text, problem)]
        whole = (moved for moved in shifted if is_body(moved, problem))
        begun = (moved for moved in shifted if _is_body_at_first(moved, problem))
        return next(whole, next(begun, text))


# --------------------------------------------------------------------------- about whole functions


def _defines_at_all(text: str, problem: Problem) -> bool:
    """Whether the text defines the entry point before whatever it goes on with."""
    return defines(longest_head(text), problem.entry_point)


def _is_whole(text: str, problem: Problem) -> bool:
    """Whether the text starts with the entry point's function: no body that has one of its name."""
    tree = parse(longest_head(text))
    found = tree.body if tree else []
    return any(
        isinstance(node, FUNCTIONS) and node.name == problem.entry_point for node in found
    ) and not any(isinstance(inner, ast.Return) for node in found for inner in _outside(node))


def _outside(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is in it, functions aside."""
    if not isinstance(node, FUNCTIONS):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _outside(child)


def _starts_to_define(code: str, problem: Problem) -> bool:
    return any(starts_definition(line, problem.entry_point) for line in dedent(code).splitlines())


def _after_echo(text: str, problem: Problem) -> str:
    """What follows the prefix, or its function alone; nothing when the text starts with neither.

    Blank lines and white space at the ends of lines aside.
    """
    lines = text.splitlines(keepends=True)
    said = [(i, line.rstrip()) for i, line in enumerate(lines) if line.strip()]
    for echo in (problem.prefix, problem.prefix.removeprefix(preamble(problem))):
        wanted = [line.rstrip() for line in echo.splitlines() if line.strip()]
        if wanted and [line for _, line in said[: len(wanted)]] == wanted:
            return "".join(lines[said[len(wanted) - 1][0] + 1 :])
    return ""


# --------------------------------------------------------------------------- about bodies


def _shifts(text: str, problem: Problem) -> Iterator[str]:
    """The text with another indentation: of its first line, then of all lines as one."""
    start = len(text) - len(text.lstrip("\r\n \t"))
    start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line = text[start:].partition("\n")[0]
    has = line[: len(line) - len(line.lstrip())]
    wants = body_indent(problem)
    # Answers are stripped on the way by chat servers and people: only the first line lost it. So
    # it does where a tokenizer joins white space with the prompt's.
    first = text[:start] + wants + text[start + len(has) :]
    if has or next(top_level_cuts(first), None) is None:
        yield first
    # Prose that follows at the margin stays there, or it would become part of the body.
    end = next(top_level_cuts(text), len(text)) if has else len(text)
    lines = text[:end].splitlines(keepends=True)
    if all(line.startswith(has) or not line.strip() for line in lines):
        moved = [wants + line[len(has) :] if line.strip() else line for line in lines]
        yield "".join(moved) + text[end:]
    if not has:
        yield first


def _is_body_at_first(text: str, problem: Problem) -> bool:
    """Whether the text starts with a body, whatever it goes on with."""
    return is_body(longest_head(text, problem.prefix), problem)
