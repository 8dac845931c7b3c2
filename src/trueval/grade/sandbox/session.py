"""The checker's side of one candidate: send the program, make calls, read answers as plain data.

Nothing that comes from a candidate is trusted: values are decoded by `codec`, and see `exchange`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trueval.grade.sandbox import codec, raising, wire
from trueval.grade.sandbox.candidate import MAX_REPLY_BYTES
from trueval.grade.sandbox.endings import NotSentError, UnsupportedError
from trueval.grade.sandbox.exchange import NO_ANSWER, Exchange
from trueval.grade.sandbox.orders import Orders
from trueval.grade.sandbox.references import referenced


class Zygote(Orders):
    """The checker's end of the zygote, and the candidates that come from it."""

    def next_candidate(self, *, alone: bool) -> Session:
        """A fresh candidate; nothing is left of the one before."""
        return Session(self, *self.next_socket(alone=alone))


class Session(Exchange):
    """One candidate, from its program to its end."""

    def __init__(self, zygote: Orders, number: int, fd: int) -> None:
        super().__init__(zygote, number, fd)
        self.units_held = 0
        """Units of the test that held, where it counts them (`Proxy.unit`), and inputs."""
        self.unshippable = ""
        """What kind of answer was not data, if one was not."""
        self.asked = self.replied = b""
        """The last call and the answer to it, as they crossed."""

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], wrap: bytes = b"") -> Any:
        """What the entry point returns; what it changed in its arguments is changed here too.

        `wrap`: `TRUTH`, for no more than whether that is true.
        """
        self.replied = b""
        self.asked = request = self._request(args, kwargs)
        self.replied = reply = self.ask(wrap + request)
        if reply[:1] == wire.RAISED:
            error, changes = raising.remade(reply[1:])
            if changes:
                self._put_back(args, kwargs, changes)
            raise error
        if reply[:1] != wire.VALUE_AND_ARGUMENTS:
            return self.value_of(reply)
        size = int.from_bytes(reply[1:5], "big")
        value = self._decoded(reply[5 : 5 + size])
        self._put_back(args, kwargs, reply[5 + size :])
        return value

    def _put_back(self, args: tuple[Any, ...], kwargs: dict[str, Any], changes: bytes) -> None:
        """Change arguments here as the program did there."""
        changed = self._decoded(changes)
        if type(changed) is tuple and len(changed) == 2:
            codec.copy_back((args, kwargs), changed)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the program's namespace, as plain data."""
        self.replied = b""
        self.asked = request = wire.EVALUATE + expression.encode()
        self.replied = reply = self.ask(request)
        return self.value_of(reply)

    def each_reply(self, batch: bytes, count: int) -> Iterator[bytes]:
        """The replies to `count` calls that are asked for at once, each as soon as it is here."""
        if self.over is not None:
            raise self.over
        self._ask_now()
        self.send(wire.BATCH + batch)
        data, place = b"", 0
        for _ in range(count):
            self.replied = b""
            while (end := _end_of_frame(data, place)) > len(data):
                if end - place > MAX_REPLY_BYTES:
                    raise self.end("crashed", "reply too large", "protocol")
                data, place = data[place:] + self.more(end - len(data)), 0
            self.replied = reply = data[place + 4 : end]
            place = end
            yield reply
        if place < len(data):
            raise self.end("crashed", NO_ANSWER, "protocol")

    def value_of(self, reply: bytes) -> Any:
        """The value in a reply. Raises what the candidate raised."""
        kind = reply[:1]
        if kind == wire.VALUE:
            return self._decoded(reply[1:])
        if kind == wire.RAISED:
            raise raising.remade(reply[1:])[0]
        if kind == wire.NO_MEMORY:
            raise self.end("out_of_memory", "MemoryError", "out-of-memory")
        if kind == wire.EXITED:
            raise self.end("crashed", "exit before the tests ended", "exited")
        raise self.end("crashed", NO_ANSWER, "protocol")

    def _request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        try:
            return wire.CALL + codec.dumps_args(args, kwargs)
        except codec.NotData:
            try:
                named = codec.dumps_args(referenced(args), referenced(kwargs))
            except (codec.NotData, RecursionError) as error:
                if answered := getattr(error, "answered", ""):
                    raise UnsupportedError(f"unsupported value: {answered}") from None
                raise NotSentError(f"a test passes what is not data: {error}") from None
            return wire.CALL_WITH_REFERENCES + named

    def _decoded(self, data: bytes) -> Any:
        try:
            value = codec.decode(data)
        except codec.DecodeError:
            raise self.end("crashed", NO_ANSWER, "protocol") from None
        if isinstance(value, codec.Opaque):
            self.unshippable = value.type_name
        return value


def _end_of_frame(data: bytes, place: int) -> int:
    """Where the frame at `place` ends, or its length does while that is not all there."""
    if len(data) < place + 4:
        return place + 4
    return place + 4 + int.from_bytes(data[place : place + 4], "big")
