"""Steps that drop what an answer repeats of the code around its hole."""

from __future__ import annotations

from collections.abc import Sequence

from trueval.types import Effect, Hole, Problem

ECHO_CHARS = 20
"""How much code, white space aside, must repeat what is around the hole to be called an echo.

True middles repeat a little by chance: in the official holes of whole lines at most one line of
12 characters (`return False`), in the official random spans at most 14.
"""


class SuffixOverlap:
    """Drops from the end of a middle what repeats the start of the text after the hole."""

    name = "suffix_overlap"
    effect: Effect = "trim"

    def __init__(self, *, whole_lines: bool = True) -> None:
        """`whole_lines`: only lines as a whole; else any `ECHO_CHARS` characters."""
        self.whole_lines = whole_lines

    def __call__(self, text: str, problem: Problem) -> str:
        """The text without the longest overlap, and without those that this uncovers."""
        while (cut := self._start(text, problem.glue[1] + problem.suffix)) is not None:
            text = text[:cut]
        return text

    def _start(self, text: str, after: str) -> int | None:
        # White space at the ends aside: a fence adds or loses a newline.
        said, wanted = text.rstrip(), after[: len(text)].rstrip()
        for length in range(min(len(said), len(wanted)), ECHO_CHARS - 1, -1):
            head = after[:length]
            if head[-1].isspace() or not said.endswith(head) or not _code_in(head):
                continue
            cut = len(said) - length
            ends_line = not after[length:].partition("\n")[0].strip()
            if not self.whole_lines or (ends_line and said[:cut].endswith("\n")):
                return cut
        return None


class EchoedContext:
    """Drops the code around the hole that an answer repeats, and keeps what stands between.

    Lines decide, compared as they are. An answer that defines the entry point again, or that has
    several lines where one is missing, repeats its surroundings for certain, and one line of them
    is enough to find the place. Any other must start with `ECHO_CHARS` characters of the prefix's
    end; what it repeats of the suffix, `SuffixOverlap` finds.
    """

    name = "echoed_context"
    effect: Effect = "extract"

    def __init__(self, hole: Hole) -> None:
        self.hole = hole

    def __call__(self, text: str, problem: Problem) -> str:
        """The text between the last of the prefix and the first of the suffix."""
        while (found := self._between(text, problem)) != text:
            text = found
        return text

    def _between(self, text: str, problem: Problem) -> str:
        before, after = problem.prefix + problem.glue[0], problem.glue[1] + problem.suffix
        lines = text.splitlines(keepends=True)
        again = _defines_again(lines, problem)
        too_many = self.hole == "line" and sum(bool(line.strip()) for line in lines) > 1
        surely = again or too_many
        whole, rest = _split_prefix(before)
        start = _after_echo(lines, whole, least=1 if surely else ECHO_CHARS, anywhere=again)
        found = "".join(lines[start:])
        # A span may start inside a line, and an answer with that line: it is longer than by chance.
        if start or (self.hole == "span" and len(rest.strip()) >= ECHO_CHARS // 2):
            found = found.removeprefix(rest)
        if surely:
            found = _up_to_echo(found, after, spans=self.hole == "span")
        return found if found.strip() else text


def _code_in(text: str, least: int = ECHO_CHARS) -> bool:
    """Whether there is enough of it to be no chance."""
    return len("".join(text.split())) >= least


def _defines_again(lines: Sequence[str], problem: Problem) -> bool:
    starts = (f"def {problem.entry_point}(", f"async def {problem.entry_point}(")
    defining = {s for line in problem.prefix.splitlines() if (s := line.strip()).startswith(starts)}
    return any(line.strip() in defining for line in lines)


def _numbered(lines: Sequence[str]) -> list[tuple[int, str]]:
    """The lines that hold anything, with their numbers and without what ends them."""
    return [(i, line.rstrip("\r\n")) for i, line in enumerate(lines) if line.strip()]


def _after_echo(lines: Sequence[str], before: str, *, least: int, anywhere: bool) -> int:
    """How many of the lines are an echo of the text before the hole, and what leads up to it.

    `least`: characters of code that must be the same. Unless `anywhere`, from the first line on.
    """
    said = _numbered(lines)
    had = [line for _, line in _numbered(before.splitlines())]
    best, most = 0, 0
    for last in range(len(said)):
        same = 0
        while same <= last and same < len(had) and said[last - same][1] == had[-1 - same]:
            same += 1
        fits = (anywhere or same == last + 1) and _code_in(
            "".join(line for _, line in said[last + 1 - same : last + 1]), least
        )
        if same > most and fits:
            best, most = said[last][0] + 1, same
    return best


def _split_prefix(before: str) -> tuple[str, str]:
    """The whole lines to the last that holds anything; blank lines and the part of a line after."""
    lines = before.splitlines(keepends=True)
    count = len(lines)
    while count and not (lines[count - 1].strip() and lines[count - 1].endswith("\n")):
        count -= 1
    return "".join(lines[:count]), "".join(lines[count:])


def _split_suffix(after: str, *, spans: bool) -> tuple[str, str]:
    """After a span the rest of its line, and blank lines; then the lines that follow."""
    lines = after.splitlines(keepends=True)
    count = int(spans)
    while count < len(lines) and not lines[count].strip():
        count += 1
    return "".join(lines[:count]), "".join(lines[count:])


def _up_to_echo(text: str, after: str, *, spans: bool) -> str:
    """The text before an echo of what follows the hole."""
    rest, whole = _split_suffix(after, spans=spans)
    lines = text.splitlines(keepends=True)
    end = _before_echo(lines, whole)
    if end < len(lines):
        return "".join(lines[:end]).removesuffix(rest)
    if whole:
        return text
    # Nothing follows the hole but blanks, of which a fence adds some or loses some.
    if spans:
        return text.rstrip("\n").removesuffix(rest.rstrip("\n"))
    return "".join(lines[: next((n for n in range(len(lines), 0, -1) if lines[n - 1].strip()), 0)])


def _before_echo(lines: Sequence[str], after: str) -> int:
    """How many lines stand before an echo of the text after the hole; all when there is none."""
    said = _numbered(lines)
    wanted = [line for _, line in _numbered(after.splitlines())]
    best, most = len(lines), 0
    for first in range(len(said)):
        same = 0
        while first + same < len(said) and same < len(wanted):
            if said[first + same][1] != wanted[same]:
                break
            same += 1
        if same and same >= most:  # of two as long, the last: the middle may hold such a line
            best, most = said[first][0], same
    return best
