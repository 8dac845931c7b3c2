"""Fenced blocks of Markdown, read line by line; the last one may be left open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    start: int
    """Offset of the line that opens it."""
    code: str
    closed: bool


def blocks(text: str) -> list[Block]:
    """The blocks of a text in order.

    Unlike in Markdown, a fence with a language closes a block and opens the next: models forget to
    close, and no Python line starts with one.
    """
    found: list[Block] = []
    mark, start, content = "", 0, 0
    offset = 0
    for line in text.splitlines(keepends=True):
        fence, label = _fence(line)
        end = offset + len(line)
        if mark and fence.startswith(mark):
            found.append(Block(start, text[content:offset], closed=True))
            mark = ""
            if label:
                mark, start, content = fence, offset, end
        elif not mark and fence:
            mark, start, content = fence, offset, end
        offset = end
    if mark:
        found.append(Block(start, text[content:], closed=False))
    return found


def _fence(line: str) -> tuple[str, str]:
    """The fence that a line is, and the label after it; empty for any other line."""
    bare = line.strip()
    for char in "`~":
        rest = bare.lstrip(char)
        length = len(bare) - len(rest)
        if length >= 3 and "`" not in rest:
            return char * length, rest.strip()
    return "", ""
