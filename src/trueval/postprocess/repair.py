"""Steps that change what the model wrote so that it parses. Their score has a line of its own.

No step knows a problem's tests or a benchmark's names: each asks the parser where it stopped.
"""

from __future__ import annotations

from itertools import islice

from trueval.postprocess.parsing import (
    MAX_ATTEMPTS,
    defines,
    first_error,
    line_starts,
    longest_head,
    parse,
)
from trueval.types import Effect, Problem

BLOCKS = (
    *("async", "case", "class", "def", "elif", "else", "except", "finally", "for", "if"),
    *("match", "try", "while", "with"),
)
"""Words that start a line which ends with a colon."""

MAX_BLOCKS = 20


class OpenString:
    """Closes a triple quote that was left open: at the first line's end after which all parses."""

    name = "open_string"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with the quote, or as it is when that does not mend it."""
        before, error = _error(text, problem)
        if error is None or "unterminated triple-quoted" not in error.msg:
            return text
        start = _offset(text, before, error)
        found = [at for quote in ('"""', "'''") if (at := text.find(quote, start)) >= 0]
        if not found:
            return text
        opened = min(found)
        quote = text[opened : opened + 3]
        ends = (n - 1 for n in line_starts(text) if n > opened + 3)
        for end in (*islice(ends, MAX_ATTEMPTS), len(text.rstrip())):
            # A quote right after another of its kind would be read as one of four.
            gap = " " if text[:end].endswith((quote[0], "\\")) and end > opened + 3 else ""
            mended = text[:end] + gap + quote + text[end:]
            if _is_whole(before, mended, problem):
                return mended
        return text


class MissingColon:
    """Adds the one colon that a line lacks, if all of the answer then parses."""

    name = "missing_colon"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with the colon where the parser missed it."""
        before, error = _error(text, problem)
        if error is None or not error.offset:
            return text
        start = _offset(text, before, error)
        line = text[start:].partition("\n")[0]
        if start < 0 or not _starts_block(line):
            return text
        place = start + error.offset - 1
        mended = text[:place].rstrip() + ":" + text[len(text[:place].rstrip()) :]
        return mended if _is_whole(before, mended, problem) else text


class EmptyBlock:
    """Puts `pass` into blocks that hold nothing."""

    name = "empty_block"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with a `pass` in each block that needs one."""
        for _ in range(MAX_BLOCKS):
            before, error = _error(text, problem)
            if error is None or not error.msg.startswith("expected an indented block"):
                break
            mended = self._with_pass(text, before, error)
            _, left = _error(mended, problem)
            # What is left to mend must come later, or this was not what is wrong.
            later = left is not None and (left.lineno or 0) > (error.lineno or 0)
            if not later and not _is_whole(before, mended, problem):
                break
            text = mended
        return text

    def _with_pass(self, text: str, before: str, error: SyntaxError) -> str:
        header = int(error.msg.rpartition(" ")[2]) - 1 - _lines(before)
        starts = line_starts(text)
        if header < 0:
            return text
        line = text[starts[header] :].partition("\n")[0]
        indent = line[: len(line) - len(line.lstrip())] + "    "
        place = _offset(text, before, error)
        # At the end of the text the parser names the header, or a blank line after it.
        if place <= starts[header] or not text[place:].strip():
            return text.rstrip() + f"\n{indent}pass\n"
        return text[:place] + f"{indent}pass\n" + text[place:]


class WholeStatements:
    """Drops the unfinished end of an answer: its longest head of whole statements is kept."""

    name = "whole_statements"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The longest run of whole lines that parses, if any does."""
        before, error = _error(text, problem)
        if error is None and parse(before + text) is not None:
            return text
        head = longest_head(text, before, cuts=line_starts(text)[1:])
        return head if head.strip() and _is_whole(before, head, problem) else text


class Repetition:
    """Keeps one of what an answer repeated until it was cut at its number of tokens."""

    name = "repetition"
    effect: Effect = "repair"
    only_when_cut = True
    """An answer that ended by itself meant what it repeats."""

    def __call__(self, text: str, problem: Problem) -> str:  # noqa: ARG002
        """The text up to the end of the first of the copies that it ends with."""
        while (kept := _without_copies(text)) < len(text):
            text = text[:kept]
        return text


# --------------------------------------------------------------------------- where it breaks


def _frame(text: str, problem: Problem) -> str:
    """What stands before the text when it is parsed: the prefix before a body, else nothing."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return problem.prefix if first[:1].isspace() else ""


def _error(text: str, problem: Problem) -> tuple[str, SyntaxError | None]:
    """What stands before the text, and where the two together break."""
    before = _frame(text, problem)
    return before, first_error(before + text)


def _is_whole(before: str, text: str, problem: Problem) -> bool:
    """Whether the text now parses, and answers the problem."""
    if before:
        return parse(before + text) is not None
    return defines(text, problem.entry_point)


def _starts_block(line: str) -> bool:
    word = (line.split(maxsplit=1) or [""])[0]
    return word.partition("(")[0] in BLOCKS


def _lines(before: str) -> int:
    return len(line_starts(before)) - 1


def _offset(text: str, before: str, error: SyntaxError) -> int:
    """Where in the text the line of the error starts; -1 when it is not in the text."""
    line = (error.lineno or 0) - 1 - _lines(before)
    starts = line_starts(text)
    return starts[min(line, len(starts) - 1)] if line >= 0 else -1


# --------------------------------------------------------------------------- copies

MIN_COPIES = 4
MIN_CHARS = 60
"""What the copies come to at least: less may be code."""
MAX_CHARS = 20_000


def _without_copies(text: str) -> int:
    """How much of the text to keep: all of it when it does not end with copies."""
    tail = text[-MAX_CHARS:][::-1]
    border = [0] * (len(tail) + 1)  # border[n]: the longest proper border of tail[:n]
    best, period = 0, 0
    length = 0
    for n in range(2, len(tail) + 1):
        while length and tail[n - 1] != tail[length]:
            length = border[length]
        length += tail[n - 1] == tail[length]
        border[n] = length
        # A text of length n with a border of length b repeats every n - b characters.
        if n >= MIN_CHARS and n >= MIN_COPIES * (n - length):
            best, period = n, n - length
    return len(text) - best + period
