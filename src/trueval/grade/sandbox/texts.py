"""Values and messages as one short line for people, however large or odd they are."""

from __future__ import annotations

import reprlib
from typing import Any

from trueval.grade.sandbox.candidate import REFERENCE

MAX_LINE = 200
MAX_BITS = 4000
"""Of an int that is shown in full: more take long, and Python refuses to."""


def one_line(text: str, most: int = MAX_LINE) -> str:
    """`text` with everything escaped that is not printable, cut to `most` characters."""
    if len(text) <= most and text.isprintable():
        return text
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[: most + 1]
    )
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def shown(value: Any) -> str:
    """The start of a value's repr, in time that does not grow with the value."""
    return one_line(_REPR.repr(value))


def shown_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """A call as it would be written."""
    parts = [_REPR.repr(value) for value in args[:50]]
    parts += [f"{key}={_REPR.repr(value)}" for key, value in list(kwargs.items())[:50]]
    return one_line(f"{name}({', '.join(parts)})")


class _Short(reprlib.Repr):
    """Some of each container, and of long texts and numbers their beginning or size."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 6
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 30
        self.maxdeque = self.maxarray = 30
        self.maxother = MAX_LINE

    def repr_str(self, x: str, level: int) -> str:  # noqa: ARG002
        """The start of a text; what stands for a class or function is its name."""
        if x.startswith(REFERENCE):
            return x.removeprefix(REFERENCE).removeprefix("builtins:").replace(":", ".").strip(".")
        return repr(x) if len(x) <= MAX_LINE else repr(x[:MAX_LINE])

    def repr_bytes(self, x: bytes, level: int) -> str:  # noqa: ARG002
        """The start of bytes."""
        return repr(x[:MAX_LINE])

    repr_bytearray = repr_bytes

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002
        """A number, or its size."""
        bits = x.bit_length()
        return repr(x) if bits <= MAX_BITS else f"<an int of {bits:,} bits>"


_REPR = _Short()
