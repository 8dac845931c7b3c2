"""How what a program raises gets to the checker: as a class of Python's own, and what it holds."""

from __future__ import annotations

import builtins
import contextlib
import sys
from typing import Any

from trueval.grade.sandbox import codec, wire
from trueval.grade.sandbox.endings import CandidateError

MESSAGE_CHARACTERS = 500
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set on every class that a `class` statement makes


def told(error: BaseException, changes: bytes = b"") -> bytes:
    """An exception as bytes for `remade`, with what the call did to its arguments. Never raises."""
    try:
        kind = type(error)
        # A test that expects ValueError is content with a subclass of it.
        # (Not by `__module__`: that of a program's own classes is "builtins" as well.)
        base: Any = next(one for one in kind.__mro__ if not one.__flags__ & _HEAP_TYPE)
        place = getattr(kind, "__module__", "")  # a class made without a name has none
        place = place if _of_library(str(place), kind.__name__) is kind else ""
        fields = (kind.__name__, base.__name__, place, str(error)[:MESSAGE_CHARACTERS])
        head = "\0".join(fields).encode("utf-8", "backslashreplace")
        content = _content(error, base, bool(place))
    except BaseException:  # an exception whose own text raises
        head, content = b"\0\0\0an exception that cannot be shown", b""
    return wire.packed(head) + wire.packed(content) + changes


def _content(error: BaseException, base: Any, is_known: bool) -> bytes:
    """What an exception is made of; nothing where a class of the program's writes its text."""
    try:
        if is_known or type(error) is base:
            return codec.encode(error.__reduce__()[1])
        if type(error).__str__ is base.__str__:
            return codec.encode(error.args)
    except BaseException:
        pass
    return b""


def remade(reply: bytes) -> tuple[Exception, bytes]:
    """The exception, marked as the candidate's, and the changes.

    It is of its own class where that is one of Python's and was imported here, or else of the first
    of its classes that is built in.
    """
    head, rest = _part(reply)
    content, changes = _part(rest)
    name, base, place, text = _split(head)
    error = (
        (_made(_of_library(place, name), content, None) if place else None)
        or _made(getattr(builtins, base, None), content, text[:1000])
        or CandidateError(described(reply))
    )
    error.from_candidate = described(reply)  # type: ignore[attr-defined]
    return error, changes


def described(reply: bytes) -> str:
    """The exception in such bytes as the last line of a traceback has it."""
    name, _, _, text = _split(_part(reply)[0])
    name, text = name[:100], text[:1000]
    return f"{name}: {text}" if name and text else name or text


def _part(data: bytes) -> tuple[bytes, bytes]:
    end = 4 + int.from_bytes(data[:4], "big")
    return data[4:end], data[end:]


def _split(head: bytes) -> list[str]:
    """Name, built-in class, module of Python's library that has it, and text."""
    return [*head.decode("utf-8", "replace").split("\0", 3), "", "", ""][:4]


def _of_library(module: str, name: str) -> Any:
    """What a module of Python's library that was imported has under a name. It imports none."""
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    return vars(sys.modules[module]).get(name) if module in sys.modules else None


def _made(kind: Any, content: bytes, text: str | None) -> Exception | None:
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return None
    # Any bytes may have come, and some classes take no arguments but their own.
    with contextlib.suppress(Exception):
        args = codec.decode(content)
        if type(args) is tuple and not any(isinstance(one, codec.Opaque) for one in args):
            return kind(*args)
    with contextlib.suppress(Exception):  # UnicodeDecodeError takes more than a message
        return None if text is None else kind(text)
    return None
