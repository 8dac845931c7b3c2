"""Messages between grader, checker, zygote and candidate: their kinds, and how they are framed.

Grader and checker trust each other and speak `marshal`. What a candidate writes is framed here and
decoded by `codec`, never by anything that could run code.
"""

from __future__ import annotations

import marshal
import os
import struct
from typing import Any, NamedTuple

MAX_ANSWER_BYTES = 64 * 1024

# What a checker asks of a candidate; the first four load a program and
# get no reply; a BATCH gets one for each of its calls, all others exactly one.
LOAD, LOAD_SOURCE, OFFICIAL, UNITTEST = b"L", b"S", b"O", b"U"
SYNC, EVALUATE, EXECUTE = b"Y", b"V", b"X"
CALL, CALL_WITH_REFERENCES, TRUTH, BATCH = b"C", b"R", b"T", b"B"
# What a candidate replies.
VALUE, VALUE_AND_ARGUMENTS, RAISED, NO_MEMORY, EXITED, DONE = b"v", b"a", b"r", b"m", b"x", b"d"
BEGUN, NOT_BEGUN = b".", b"!"
"""The first byte of every candidate, sent before the program is read: whether it was set up."""

# What a checker tells the zygote, and what it hears from it.
STOP, WATCH, PAUSE, ALONE = b"S", b"W", b"P", b"A"
FORKED, ENDED, READY, FAILED = b"F", b"E", b"I", b"!"
CONTROL = struct.Struct("<cId")
"""Kind, number of the candidate, and a value: seconds waited, or 1 for a candidate alone, or for
one to STOP whose socket is closed."""
END = struct.Struct("<iqdB")
"""After an ENDED: exit status as `wait` gives it, peak memory in KiB, CPU time in seconds, and the
length of the reason."""


def packed(content: bytes) -> bytes:
    """`content` with its length in front."""
    return len(content).to_bytes(4, "big") + content


def read_frame(fd: int) -> Any:
    """The next frame's content as the grader marshalled it; None at the end of the stream."""
    head = _read(fd, 4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = _read(fd, size)
    return marshal.loads(body) if len(body) == size else None


def _read(fd: int, size: int) -> bytes:
    part = os.read(fd, size)
    if len(part) == size:
        return part
    parts = [part]
    size -= len(part)
    while size and part:
        part = os.read(fd, size)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write_all(fd: int, content: bytes) -> None:
    """Write all of `content`, however many writes that takes."""
    written = os.write(fd, content)
    while written < len(content):
        content = content[written:]
        written = os.write(fd, content)


def answer_frame(
    job: int,
    verdict: str,
    duration_s: float,
    detail: str,
    cause: str = "",
    failing: tuple[str, str, str] = ("", "", ""),
    units_held: int = 0,
) -> bytes:
    """What a checker says of one job. Of the texts only `detail` may hold a newline."""
    lines = (str(job), verdict, f"{duration_s:.6f}", str(units_held), cause, *failing, detail)
    return packed("\n".join(lines).encode("utf-8", "replace")[:MAX_ANSWER_BYTES])


class Answer(NamedTuple):
    """What a checker said of one job."""

    verdict: str
    duration_s: float
    units_held: int
    cause: str
    failing: tuple[str, str, str]
    """The failing call, what it should have returned, and what it did; all empty for none."""
    detail: str


def parse_answer(content: bytes) -> Answer:
    """The answer in a frame. Raises `ValueError` for anything else."""
    lines = content.decode("utf-8", "replace").split("\n", 8)
    _, verdict, duration_s, held, cause, call, expected, got, detail = lines
    return Answer(verdict, float(duration_s), int(held), cause, (call, expected, got), detail)
