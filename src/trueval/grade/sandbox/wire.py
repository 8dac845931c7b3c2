"""Messages between grader, checker, zygote and candidate: their kinds, and how they are framed.

Grader and checker trust each other and speak `marshal`. What a candidate writes is framed here and
decoded by `codec`, never by anything that could run code.
"""

from __future__ import annotations

import marshal
import os
import struct
from typing import Any

MAX_ANSWER_BYTES = 64 * 1024

# What a checker asks of a candidate; all but the first three get exactly one reply.
LOAD, LOAD_SOURCE, OFFICIAL = b"L", b"S", b"O"
SYNC, EVALUATE, EXECUTE = b"Y", b"V", b"X"
CALL, CALL_WITH_REFERENCES = b"C", b"R"
# What a candidate replies.
VALUE, VALUE_AND_ARGUMENTS, RAISED, NO_MEMORY, EXITED, DONE = b"v", b"a", b"r", b"m", b"x", b"d"
BEGUN, NOT_BEGUN = b".", b"!"
"""The first byte of every candidate, sent before the program is read: whether it was set up."""

# What a checker tells the zygote, and what it hears from it.
STOP, WATCH, PAUSE, ALONE = b"S", b"W", b"P", b"A"
FORKED, ENDED, READY, FAILED = b"F", b"E", b"I", b"!"
CONTROL = struct.Struct("<cId")
"""Kind, number of the candidate, and a value: seconds waited, or 1 for a candidate alone."""
END = struct.Struct("<iqB")
"""After an ENDED: exit status as `wait` gives it, peak memory in KiB, length of the reason."""


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


def answer_frame(job: int, verdict: str, duration_s: float, detail: str) -> bytes:
    """What a checker says of one job."""
    lines = (str(job), verdict, f"{duration_s:.6f}", detail)
    return packed("\n".join(lines).encode("utf-8", "replace")[:MAX_ANSWER_BYTES])


def parse_answer(content: bytes) -> tuple[int, str, float, str]:
    """Job, verdict, duration and detail. Raises `ValueError` for anything else."""
    job, verdict, duration_s, detail = content.decode("utf-8", "replace").split("\n", 3)
    return int(job), verdict, float(duration_s), detail
