"""The connection to a worker: answers in order, and no wait without an end."""

from __future__ import annotations

import asyncio
import socket

import pytest

from trueval.grade.sandbox.line import Line, WorkerError
from trueval.grade.sandbox.wire import MAX_ANSWER_BYTES, answer_frame, packed

LONGEST_S = 0.4


async def opened() -> tuple[Line, socket.socket]:
    """A line, and the worker's end of it."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, line = await loop.create_unix_connection(lambda: Line(LONGEST_S), sock=ours)
    return line, theirs


async def said(worker: socket.socket, *frames: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(worker, b"".join(frames))


async def test_answers_belong_to_requests_in_their_order() -> None:
    line, worker = await opened()
    first, second = line.send(packed(b"1")), line.send(packed(b"2"))
    frames = answer_frame(0, "passed", 0.5, ""), answer_frame(0, "wrong", 0.0, "why\nnot")
    joined = b"".join(frames)
    await said(worker, joined[:7])
    await asyncio.sleep(0.01)
    assert not first.done()
    await said(worker, joined[7:])
    assert (await first).verdict == "passed"
    assert (await second).detail == "why\nnot"
    line.fail("the end")
    worker.close()


async def test_a_worker_that_is_silent_for_too_long_has_failed() -> None:
    line, worker = await opened()
    first, second = line.send(packed(b"1")), line.send(packed(b"2"))
    with pytest.raises(WorkerError, match="it does not answer") as head:
        await asyncio.wait_for(first, 10 * LONGEST_S)
    with pytest.raises(WorkerError) as next_one:
        await second
    assert not head.value.blameless
    assert next_one.value.blameless
    assert not line.open
    worker.close()


async def test_each_answer_gives_the_next_one_its_time() -> None:
    line, worker = await opened()
    answers = [line.send(packed(b"1")) for _ in range(3)]
    for answer in answers:  # together they take longer than one may
        await asyncio.sleep(0.6 * LONGEST_S)
        await said(worker, answer_frame(0, "passed", 0.0, ""))
        assert (await answer).verdict == "passed"
    await asyncio.sleep(1.5 * LONGEST_S)  # nothing is asked: silence is no failure
    late = line.send(packed(b"4"))
    await asyncio.sleep(0.6 * LONGEST_S)
    assert line.open
    await said(worker, answer_frame(0, "passed", 0.0, ""))
    assert (await late).verdict == "passed"
    unanswered = line.send(packed(b"5"))
    with pytest.raises(WorkerError, match="it does not answer"):
        await asyncio.wait_for(unanswered, 10 * LONGEST_S)
    worker.close()


@pytest.mark.parametrize("frame", [packed(b"no lines"), (MAX_ANSWER_BYTES + 1).to_bytes(4, "big")])
async def test_what_is_no_answer_ends_the_line(frame: bytes) -> None:
    line, worker = await opened()
    answer = line.send(packed(b"1"))
    await said(worker, frame)
    with pytest.raises(WorkerError, match="an answer that is"):
        await answer
    with pytest.raises(WorkerError, match="it ended"):
        await line.send(packed(b"2"))
    worker.close()


async def test_a_worker_that_ends_fails_all_who_wait() -> None:
    line, worker = await opened()
    answers = line.send(packed(b"1")), line.send(packed(b"2"))
    worker.close()
    for answer in answers:
        with pytest.raises(WorkerError, match="it ended"):
            await answer
