"""Steps that find the code in an answer. They move text about, and never change code."""

from __future__ import annotations

import re
from itertools import islice

from trueval.postprocess.parsing import (
    MAX_ATTEMPTS,
    body_indent,
    defines,
    is_body,
    top_level_cuts,
)
from trueval.types import Effect, Problem

FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[^\n`]*\n(?P<code>.*?)(?:^[ \t]*(?:```|~~~)|\Z)", re.M | re.S
)
"""A fenced block of Markdown; the last one may be left open, as when an answer was cut."""

OPENERS = ("def ", "async def ", "class ", "import ", "from ", "@")


class Unfence:
    """Takes the fenced block that defines the entry point, else the first, else all of the text."""

    name = "unfence"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """The code of the chosen block."""
        # A base model may finish the body and go on with a Markdown page: that body is the answer.
        head, fence, _ = text.partition("```")
        if not fence or is_body(text, problem) or (head.strip() and is_body(head, problem)):
            return text
        blocks = [match["code"] for match in FENCE.finditer(text)]
        whole = (block for block in blocks if defines(block, problem.entry_point))
        return next(whole, next((block for block in blocks if block.strip()), text))


class SkipPreface:
    """Drops prose before a whole function, when what follows defines the entry point."""

    name = "skip_preface"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text from its first line that starts a whole function."""
        if is_body(text, problem) or defines(text, problem.entry_point):
            return text
        lines = text.splitlines(keepends=True)
        starts = (i for i, line in enumerate(lines) if line.startswith(OPENERS))
        for start in islice(starts, 20):
            rest = "".join(lines[start:])
            if start and any(defines(head, problem.entry_point) for head in heads(rest)):
                return rest
        return text


class AlignBody:
    """Gives back the indentation that a body lost: to its first line, or to all of it."""

    name = "align_body"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with the smallest shift under which it goes on with the prefix."""
        if not text.strip() or is_body(text, problem):
            return text
        if any(defines(head, problem.entry_point) for head in heads(text)):
            return text
        start = len(text) - len(text.lstrip("\r\n"))
        if text[start].isspace():
            return text
        indent = body_indent(problem)
        # Answers are stripped on the way by chat servers and people: only the first line lost it.
        first = text[:start] + indent + text[start:]
        every = "".join(
            indent + line if line.strip() else line for line in text.splitlines(keepends=True)
        )
        stays_inside = next(top_level_cuts(first), None) is None
        if stays_inside and is_body(first, problem):
            return first
        if is_body(every, problem):
            return every
        return first if any(is_body(head, problem) for head in heads(first)) else text


def heads(text: str) -> list[str]:
    """The text, then what stands before each of its top-level lines, longest first."""
    cuts = [*islice(top_level_cuts(text), MAX_ATTEMPTS)]
    return [text, *(text[:cut] for cut in reversed(cuts))]
