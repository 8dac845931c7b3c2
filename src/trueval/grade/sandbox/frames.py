"""Messages between the grader and its workers: four bytes of length, then the content.

Jobs go out as `marshal` (both ends are one Python, and the grader is trusted). Answers come back
as lines of text, so that nothing which a hostile process might write can hurt who reads them.
"""

from __future__ import annotations

import marshal
import os
from typing import Any

MAX_ANSWER_BYTES = 64 * 1024


def packed(content: bytes) -> bytes:
    """`content` with its length in front."""
    return len(content).to_bytes(4, "big") + content


def job_frames(
    program: str, alone: bool, nonce: bytes, test_code: bytes, entry_point: str
) -> bytes:
    """The two frames of a job. The worker forks between them: no sample holds the second one."""
    tests = marshal.dumps((test_code, entry_point))
    return packed(marshal.dumps((program, alone))) + packed(marshal.dumps((nonce, tests)))


def read_frame(fd: int) -> Any:
    """The next frame's content, or None at the end of the stream."""
    head = _read(fd, 4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = _read(fd, size)
    return marshal.loads(body) if len(body) == size else None


def _read(fd: int, size: int) -> bytes:
    # Never a byte more than asked for: what follows must stay in the pipe until after the fork.
    parts = []
    while size and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def answer_frame(nonce: bytes, verdict: str, duration_s: float, detail: str) -> bytes:
    """What a worker says of one job."""
    lines = [
        nonce,
        verdict.encode(),
        f"{duration_s:.6f}".encode(),
        detail.encode("utf-8", "replace"),
    ]
    return packed(b"\n".join(lines))


def parse_answer(content: bytes) -> tuple[bytes, str, float, str]:
    """Nonce, verdict, duration and detail. Raises `ValueError` for anything else."""
    nonce, verdict, duration_s, detail = content.split(b"\n", 3)
    return nonce, verdict.decode(), float(duration_s), detail.decode("utf-8", "replace")
