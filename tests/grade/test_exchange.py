"""Whose time it is: what a candidate waits for counts against it, and a checker's delays do not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from trueval.grade.sandbox import wire
from trueval.grade.sandbox.exchange import Exchange
from trueval.grade.sandbox.orders import Orders

TIMEOUT_S = 0.4
PATIENCE_S = TIMEOUT_S / 4


class Delayed(Orders):
    """Orders of a checker whose delays are said, and not the machine's."""

    def __init__(self, control: socket.socket, jobs: int) -> None:
        super().__init__(control, jobs, TIMEOUT_S, 64, True)
        self.delay_s = 0.0
        self.looks = 0
        self.delay = self._said  # type: ignore[assignment]

    def _said(self) -> float:
        self.looks += 1
        return self.delay_s


def answering(fd: socket.socket, *after_s: float) -> threading.Thread:
    """A candidate that answers one request after another, each after so many seconds."""

    def answer() -> None:
        fd.sendall(wire.BEGUN)
        for seconds in after_s:
            fd.recv(1000)
            time.sleep(seconds)
            fd.sendall(wire.packed(wire.VALUE + b"N"))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


@contextlib.contextmanager
def opened(*after_s: float) -> Iterator[tuple[Exchange, Delayed]]:
    """An exchange with a candidate that answers after so many seconds each."""
    control, zygote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = socket.socketpair()
    with control, zygote, ours, theirs:
        orders = Delayed(control, zygote.fileno())
        thread = answering(theirs, *after_s)
        yield Exchange(orders, 1, ours.fileno()), orders
        thread.join()


def test_a_delay_before_a_question_is_not_taken_off_the_wait_for_its_answer() -> None:
    with opened(0.0, 3 * PATIENCE_S) as (exchange, orders):
        exchange.ask(b"1")
        orders.delay_s += 100  # while it compared an answer
        time.sleep(1.2 * PATIENCE_S)
        exchange.ask(b"2")
    assert exchange.waited_s >= 3 * PATIENCE_S


def test_a_delay_while_an_answer_lay_there_is_taken_off_once() -> None:
    with opened(3 * PATIENCE_S, 3 * PATIENCE_S) as (exchange, orders):
        delay = threading.Timer(PATIENCE_S, setattr, (orders, "delay_s", 2.5 * PATIENCE_S))
        delay.start()
        exchange.ask(b"1")
        delay.join()
        assert exchange.waited_s < 2 * PATIENCE_S
        exchange.ask(b"2")
    assert exchange.waited_s >= 3 * PATIENCE_S


def test_quick_answers_cost_no_look_at_the_delay() -> None:
    with opened(*[0.0] * 20) as (exchange, orders):
        started = time.monotonic()
        for _ in range(20):
            exchange.ask(b"?")
        most = 2 + 2 * int((time.monotonic() - started) / PATIENCE_S)
    assert orders.looks <= most


def test_the_end_of_a_candidate_is_told_to_whoever_asks_again() -> None:
    control, zygote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with control, zygote:
        orders = Delayed(control, zygote.fileno())
        zygote.send(wire.CONTROL.pack(wire.ENDED, 7, 0.0) + wire.END.pack(9, 5000, 0.5, 0))
        first = orders.stopped(7)
        control.settimeout(1)
        assert orders.stopped(7) == first == (9, 5000, 0.5, "")
