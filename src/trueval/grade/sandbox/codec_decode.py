"""Bytes to values, in the process that holds the tests: whatever the bytes are, nothing happens.

No code is run for them, no class of theirs is looked up, and memory stays within a constant times
their length: every count is checked against what is left before anything is made of it.
"""

from __future__ import annotations

from collections import Counter, deque
from struct import error as StructError
from struct import unpack_from

from trueval.grade.sandbox import codec_common as c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_SAME_HASH = 256
"""Keys of one container with one hash. Plain data has a few: -1 and -2, and tuples of them."""
_REFUSED = (
    # What a malformed value runs into. IndexError, KeyError: the end, or no such tag;
    # ValueError: bad UTF-8, step 0; TypeError: an unhashable key; ArithmeticError: a bad Decimal.
    *(IndexError, KeyError, ValueError, TypeError, ArithmeticError),
    *(StructError, RecursionError, MemoryError),
)


def decode(
    data: bytes | bytearray | memoryview,
    *,
    max_bytes: int = c.MAX_BYTES,
    max_depth: int = c.MAX_DEPTH,
    max_items: int = c.MAX_ITEMS,
) -> Any:
    """The value in `data`, of exact plain types. Raises `DecodeError` for what is none."""
    if type(data) is not bytes:
        data = bytes(data)
    size = len(data)
    if size > max_bytes:
        raise c.DecodeError(f"over {max_bytes} bytes")
    decoder = Decoder(data, max_depth, max_items)
    try:
        value = _READ[data[0]](decoder)
    except c.DecodeError:
        raise
    except _REFUSED as error:
        raise c.DecodeError(f"malformed near byte {decoder.at}: {error!r}"[:200]) from None
    if decoder.at != size:
        raise c.DecodeError(f"ends at byte {decoder.at} of {size}")
    return value


class Decoder:
    """One decoding under way."""

    hashed = c.MAX_HASHED
    at = 1
    """The next byte to read; a reader finds it after its tag."""

    def __init__(self, data: bytes, max_depth: int, max_items: int) -> None:
        self.data = data
        self.depth = max_depth
        self.items = max_items

    def value(self) -> Any:
        """The next value."""
        at = self.at
        self.at = at + 1
        return _READ[self.data[at]](self)

    def spend(self, units: int) -> None:
        """Take `units` of the budget, as the encoder did."""
        self.items -= units
        if self.items < 0:
            raise c.DecodeError("too many items")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        at, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise c.DecodeError("ends too early")
        return self.data[at : self.at]

    def sized(self) -> bytes:
        """The next bytes, their length in front."""
        (size,) = c.SIZE.unpack(self.take(4))
        return self.take(size)

    def body(self) -> list[Any]:
        """The items of a container."""
        data, at = self.data, self.at
        form, count = c.TAGGED_SIZE.unpack_from(data, at)
        self.at = at = at + 5
        if count > len(data) - at:  # no item is shorter than a byte
            raise c.DecodeError("ends too early")
        self.spend(count + c.COST_BODY)
        if form == c.GENERIC:
            # Not in a method of its own: each frame less allows for deeper values.
            self.deeper()
            read, items = _READ, []
            for _ in range(count):
                at = self.at
                self.at = at + 1
                items.append(read[data[at]](self))
            self.depth += 1
            return items
        if form == c.STRS:
            return self._strings(count)
        if form != c.INTS and form != c.FLOATS:
            raise c.DecodeError(f"no such form: {form}")
        # unpack_from makes nothing unless all of it is there.
        items = [*unpack_from(f"<{count}{chr(form)}", data, at)]
        self.at = at + 8 * count
        return items

    def _strings(self, count: int) -> list[str]:
        lengths = unpack_from(f"<{count}I", self.data, self.at)
        self.at += 4 * count
        text = self.sized().decode("utf-8", "surrogatepass")
        if sum(lengths) != len(text):
            raise c.DecodeError("strings of another length")
        items = []
        start = 0
        for length in lengths:
            end = start + length
            items.append(text[start:end])
            start = end
        return items

    def deeper(self) -> None:
        """Go one container down."""
        self.depth -= 1
        if self.depth < 0:
            raise c.DecodeError("nested too deeply")

    def hashed_body(self) -> list[Any]:
        """Dict keys or set elements, not so many with one hash that comparing them takes long."""
        items = self.body()
        count = len(items)
        self.hashed -= count
        if self.hashed < 0:
            raise c.DecodeError("too many keys")
        self.spend(c.COST_HASHED + 2 * count)
        if count > MAX_SAME_HASH:
            hashes = [*map(hash, items)]
            if len(set(hashes)) <= count - MAX_SAME_HASH:
                ((_, most),) = Counter(hashes).most_common(1)
                if most > MAX_SAME_HASH:
                    raise c.DecodeError("keys with one hash")
        return items


# ------------------------------------------------------------------ one function a tag


def _constant(value: Any) -> Callable[[Decoder], Any]:
    return lambda _: value


def _int(of: Decoder) -> int:
    at = of.at
    value: int = c.TAGGED_INT.unpack_from(of.data, at - 1)[1]
    of.at = at + 8
    return value


def _float(of: Decoder) -> float:
    at = of.at
    value: float = c.TAGGED_FLOAT.unpack_from(of.data, at - 1)[1]
    of.at = at + 8
    return value


def _complex(of: Decoder) -> complex:
    _, real, imag = c.TAGGED_COMPLEX.unpack_from(of.data, of.at - 1)
    of.at += 16
    return complex(real, imag)


def _big_int(of: Decoder) -> int | c.TooLarge:
    content = of.sized()
    if len(content) > c.MAX_INT_BYTES:
        return c.TooLarge("int")
    return int.from_bytes(content, "little", signed=True)


def _str(of: Decoder) -> str:
    return of.sized().decode("utf-8", "surrogatepass")


def _dict(of: Decoder) -> dict[Any, Any]:
    keys = of.hashed_body()
    return dict(zip(keys, of.body(), strict=True))


def _values(of: Decoder) -> Any:
    of.spend(c.COST_HASHED)
    return dict(enumerate(of.body())).values()


def _deque(of: Decoder) -> deque[Any]:
    of.spend(c.COST_DEQUE)
    limit = of.value()
    if limit is not None and type(limit) is not int:
        raise c.DecodeError("a deque with a limit that is no int")
    return deque(of.body(), limit)


def _range(of: Decoder) -> range | c.TooLarge:
    of.spend(c.COST_SMALL)
    value = range(_any_int(of), _any_int(of), _any_int(of))
    return value if c.range_length(value) <= c.MAX_RANGE else c.TooLarge("range")


def _any_int(of: Decoder) -> int:
    value = of.value()
    if type(value) is not int:
        raise c.DecodeError("not an int")
    return value


def _slice(of: Decoder) -> slice:
    of.spend(c.COST_SMALL)
    of.deeper()
    value = slice(of.value(), of.value(), of.value())
    of.depth += 1
    return value


def _decimal(of: Decoder) -> Any:
    from decimal import Decimal  # only when one is met

    of.spend(c.COST_SMALL)
    text = of.sized().decode("ascii")
    value = Decimal(text) if len(text) <= c.MAX_DECIMAL else None
    return value if value is not None and c.is_short(value) else c.TooLarge("Decimal")


def _fraction(of: Decoder) -> Any:
    from fractions import Fraction  # only when one is met

    of.spend(c.COST_SMALL)
    top, bottom = _any_int(of), _any_int(of)
    if bottom <= 0 or max(top.bit_length(), bottom.bit_length()) >= 8 * c.MAX_FRACTION_BYTES:
        raise c.DecodeError("not a fraction")
    return Fraction(top, bottom)


def _type(of: Decoder) -> type:
    return c.PLAIN_TYPES[of.take(1)[0]]


def _opaque(kind: type[c.Opaque], truth: bool | None = None) -> Callable[[Decoder], c.Opaque]:
    def read(of: Decoder) -> c.Opaque:
        of.spend(c.COST_SMALL)
        name = of.sized().decode()
        if len(name) > c.MAX_NAME or not name.isprintable():
            raise c.DecodeError("not a name")
        return kind(name, truth)

    return read


_READ: dict[int, Callable[[Decoder], Any]] = {
    c.NONE: _constant(None),
    c.TRUE: _constant(True),
    c.FALSE: _constant(False),
    c.ELLIPSIS: _constant(...),
    c.NOT_IMPLEMENTED: _constant(NotImplemented),
    c.INT: _int,
    c.BIG_INT: _big_int,
    c.FLOAT: _float,
    c.COMPLEX: _complex,
    c.STR: _str,
    c.BYTES: Decoder.sized,
    c.BYTEARRAY: lambda of: bytearray(of.sized()),
    c.LIST: Decoder.body,
    c.TUPLE: lambda of: tuple(of.body()),
    c.SET: lambda of: set(of.hashed_body()),
    c.FROZENSET: lambda of: frozenset(of.hashed_body()),
    c.DICT: _dict,
    c.KEYS: lambda of: dict.fromkeys(of.hashed_body()).keys(),
    c.VALUES: _values,
    c.ITEMS: lambda of: _dict(of).items(),
    c.ITERATOR: lambda of: c.Drained(of.body()),
    c.DEQUE: _deque,
    c.RANGE: _range,
    c.SLICE: _slice,
    c.DECIMAL: _decimal,
    c.FRACTION: _fraction,
    c.TYPE: _type,
    c.OPAQUE: _opaque(c.Opaque),
    c.OPAQUE_TRUE: _opaque(c.Opaque, True),
    c.OPAQUE_FALSE: _opaque(c.Opaque, False),
    c.TOO_LARGE: _opaque(c.TooLarge),
}
