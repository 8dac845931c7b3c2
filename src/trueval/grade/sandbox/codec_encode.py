"""Values to bytes, in the process of a sample: whatever the value does, bytes come out.

Nothing here protects the verdict: a sample that tampers with it only chooses another answer.
"""

from __future__ import annotations

import sys
from struct import Struct, pack
from struct import error as StructError

from trueval.grade.sandbox import codec_common as c
from trueval.grade.sandbox.codec_writers import (
    EXACT,
    DrainedError,
    TooLargeError,
    name_of,
    opaque_token,
    other,
    token,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SHORT = 4096
"""A text of so few characters needs no look at the limits."""


def encode(
    value: Any,
    *,
    max_bytes: int = c.MAX_BYTES,
    max_depth: int = c.MAX_DEPTH,
    max_items: int = c.MAX_ITEMS,
    drains: bool = False,
) -> bytes:
    """`value` as bytes for `decode`. Never raises: what cannot be sent is sent as opaque.

    But with `drains` it raises what an iterator raised that was read to its end.
    """
    try:
        # First of all what most answers are; exact types, so nothing of the sample's runs.
        kind = type(value)
        if kind is bool:
            return b"T" if value else b"F"
        if kind is int and -(1 << 63) <= value < 1 << 63:
            return c.TAGGED_INT.pack(c.INT, value)
        if kind is float:
            return c.TAGGED_FLOAT.pack(c.FLOAT, value)
        if kind is str and len(value) < _SHORT:
            text: bytes = value.encode("utf-8", "surrogatepass")
            return c.TAGGED_SIZE.pack(c.STR, len(text)) + text
        encoder = Encoder(max_bytes, max_depth, max_items)
        encoder.value(value)
        if len(encoder.out) > max_bytes:
            raise TooLargeError(f"over {max_bytes} bytes")
        return bytes(encoder.out)
    except TooLargeError as error:
        return token(c.TOO_LARGE, str(error))
    except DrainedError as error:
        if drains:
            raise error.args[0] from None
        return opaque_token(value)
    except BaseException:  # whatever reading it raises, SystemExit included
        return opaque_token(value)


def answer(value: Any) -> bytes:
    """What a program returns, as bytes for `decode`: of what is not data, whether it is true.

    A generator runs only now. Raises what it raises, as if the program had itself.
    """
    encoded = encode(value, drains=True)
    if encoded[0] == c.OPAQUE:
        try:
            truth = c.OPAQUE_TRUE if value else c.OPAQUE_FALSE
        except BaseException:
            return encoded  # it is neither
        return bytes((truth,)) + encoded[1:]
    return encoded


def encode_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Arguments as bytes for `decode`. Raises `NotData` for what would not arrive as it is."""
    encoder = Encoder(sys.maxsize, c.MAX_DEPTH, c.MAX_ITEMS)
    encoder.strict = True
    try:
        encoder.value((args, kwargs))
    except TooLargeError as error:
        raise c.NotData(str(error)) from None
    return bytes(encoder.out)


class Encoder:
    """One encoding under way."""

    # As attributes of the class: what most values never need is not set for each.
    hashed = c.MAX_HASHED
    in_key = False
    """Inside a dict key or set element, which has to stay hashable once it is plain."""
    strict = False
    """Refuse whatever would arrive as something else."""

    def __init__(self, max_bytes: int, max_depth: int, max_items: int) -> None:
        self.out = bytearray()
        self.max_bytes = max_bytes
        self.depth = max_depth
        self.items = max_items

    def value(self, value: Any) -> None:
        """Append one value."""
        (EXACT.get(type(value)) or other)(self, value)

    def spend(self, units: int) -> None:
        """Take `units` of the budget. A shared object is sent, and paid for, each time."""
        self.items -= units
        if self.items < 0:
            raise TooLargeError("too many items")

    def room(self, size: int) -> None:
        """See that `size` more bytes fit, before they are made."""
        if len(self.out) + size > self.max_bytes:
            raise TooLargeError(f"over {self.max_bytes} bytes")

    def body(self, items: list[Any]) -> None:
        """Append the items of a container. `items` is a list of ours, which nobody changes."""
        count = len(items)
        self.spend(count + c.COST_BODY)
        self.room(count)
        if count:
            kind = type(items[0])
            packed = _PACKED.get(kind)
            # A metaclass may say that it equals `int`: the answer is then another, and no more.
            if (
                packed is not None
                and [*map(type, items)].count(kind) == count
                and packed(self, items)
            ):
                return
        self.deeper()
        self.out += c.TAGGED_SIZE.pack(c.GENERIC, count)
        get = EXACT.get
        for item in items:
            (get(type(item)) or other)(self, item)
        self.depth += 1

    def deeper(self) -> None:
        """Go one container down. Cycles end here."""
        self.depth -= 1
        if self.depth < 0:
            raise TooLargeError("nested too deeply")

    def hashed_body(self, items: list[Any]) -> None:
        """Append dict keys or set elements."""
        self.hashed -= len(items)
        if self.hashed < 0:
            raise TooLargeError(f"over {c.MAX_HASHED} keys")
        self.spend(c.COST_HASHED + 2 * len(items))
        before, self.in_key = self.in_key, True
        self.body(items)
        self.in_key = before

    def opaque(self, value: Any) -> None:
        """Append the name of the value's type, and nothing else of it."""
        name = name_of(value)
        if self.strict:
            raise c.NotData(f"an argument of type {name} is not data", value)
        self.spend(c.COST_SMALL)
        self.out += token(c.OPAQUE, name)


# ------------------------------------------------------------------ packed bodies


_FEW_INTS = [Struct(f"<BI{count}q").pack for count in range(17)]


def _pack_ints(to: Encoder, items: list[int]) -> bool:
    count = len(items)
    try:
        if count < len(_FEW_INTS):
            to.out += _FEW_INTS[count](c.INTS, count, *items)
        else:
            to.out += pack(f"<BI{count}q", c.INTS, count, *items)
    except StructError:  # one of them is big
        return False
    return True


def _pack_floats(to: Encoder, items: list[float]) -> bool:
    to.out += pack(f"<BI{len(items)}d", c.FLOATS, len(items), *items)
    return True


def _pack_strs(to: Encoder, items: list[str]) -> bool:
    lengths = [*map(len, items)]
    to.room(sum(lengths) + 4 * len(lengths))  # before joining: one long string may be there often
    text = "".join(items).encode("utf-8", "surrogatepass")
    to.room(len(text))
    count = len(items)
    to.out += pack(f"<BI{count}II", c.STRS, count, *lengths, len(text)) + text
    return True


_PACKED: dict[type, Callable[[Encoder, list[Any]], bool]] = {
    int: _pack_ints,
    float: _pack_floats,
    str: _pack_strs,
}
