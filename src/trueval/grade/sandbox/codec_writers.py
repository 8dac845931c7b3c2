"""How each kind of value is written: one function a kind, and the table that finds it.

Values are read by the base classes' own methods, never by what a subclass overrides.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from struct import error as StructError

from trueval.grade.sandbox import codec_common as c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from trueval.grade.sandbox.codec_encode import Encoder

_MODULES = sys.modules
_MRO = type.__dict__["__mro__"].__get__  # not `kind.__mro__`: a metaclass can make that up
_NAME = type.__dict__["__name__"].__get__
_FLAGS = type.__dict__["__flags__"].__get__
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set on every class that a `class` statement makes
_SCALARS = frozenset({bool, int, float, complex, str, bytes})


class DrainedError(BaseException):
    """An iterator raised while it was read: what it raised is the one argument."""


class TooLargeError(Exception):
    """Ends an encoding that went over a limit; its text says which."""


# ------------------------------------------------------------------ one function a kind


def _constant(tag: int) -> Callable[[Encoder, Any], None]:
    content = bytes([tag])

    def write(to: Encoder, value: Any) -> None:  # noqa: ARG001
        to.out += content

    return write


def _bool(to: Encoder, value: bool) -> None:
    to.out += b"T" if value else b"F"


def _int(to: Encoder, value: int) -> None:
    try:
        to.out += c.TAGGED_INT.pack(c.INT, value)
    except StructError:
        size = value.bit_length() // 8 + 1
        if size > c.MAX_INT_BYTES:
            to.spend(c.COST_SMALL)
            to.out += token(c.TOO_LARGE, f"int over {c.MAX_INT_BYTES} bytes")
        else:
            _sized(to, c.BIG_INT, value.to_bytes(size, "little", signed=True))


def _float(to: Encoder, value: float) -> None:
    to.out += c.TAGGED_FLOAT.pack(c.FLOAT, value)


def _complex(to: Encoder, value: complex) -> None:
    real, imag = complex.real.__get__(value), complex.imag.__get__(value)
    to.out += c.TAGGED_COMPLEX.pack(c.COMPLEX, real, imag)


def _str(to: Encoder, value: str) -> None:
    to.room(len(value))
    _sized(to, c.STR, value.encode("utf-8", "surrogatepass"))


def _bytes(to: Encoder, value: bytes) -> None:
    _sized(to, c.BYTES, value)


def _bytearray(to: Encoder, value: bytearray) -> None:
    if to.in_key:
        return to.opaque(value)
    return _sized(to, c.BYTEARRAY, bytearray.__getitem__(value, slice(None)))


def _sized(to: Encoder, tag: int, content: bytes | bytearray) -> None:
    to.room(len(content))
    to.out += c.TAGGED_SIZE.pack(tag, len(content))
    to.out += content


def _list(to: Encoder, value: list[Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    to.out.append(c.LIST)
    return to.body([*list.__iter__(value)])


def _tuple(to: Encoder, value: tuple[Any, ...]) -> None:
    to.out.append(c.TUPLE)
    to.body([*tuple.__iter__(value)])


def _set(to: Encoder, value: set[Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    to.out.append(c.SET)
    return to.hashed_body([*set.__iter__(value)])


def _frozenset(to: Encoder, value: frozenset[Any]) -> None:
    to.out.append(c.FROZENSET)
    to.hashed_body([*frozenset.__iter__(value)])


def _dict(to: Encoder, value: dict[Any, Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    pairs = [*dict.items(value)]
    to.out.append(c.DICT)
    return _pairs(to, pairs)


def _ordered_dict(to: Encoder, value: OrderedDict[Any, Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    # Its order is its own affair, unlike what dict.items says of it.
    pairs = [(key, dict.__getitem__(value, key)) for key in OrderedDict.__iter__(value)]
    to.out.append(c.DICT)
    return _pairs(to, pairs)


def _pairs(to: Encoder, pairs: list[tuple[Any, Any]]) -> None:
    to.hashed_body([pair[0] for pair in pairs])
    to.body([pair[1] for pair in pairs])


def _keys(to: Encoder, value: Iterable[Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    to.out.append(c.KEYS)
    return to.hashed_body([*value])


def _values(to: Encoder, value: Iterable[Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    to.out.append(c.VALUES)
    to.spend(c.COST_HASHED)
    return to.body([*value])


def _items(to: Encoder, value: Iterable[tuple[Any, Any]]) -> None:
    if to.in_key:
        return to.opaque(value)
    pairs = [*value]
    to.out.append(c.ITEMS)
    return _pairs(to, pairs)


def _deque(to: Encoder, value: deque[Any]) -> None:
    if to.in_key:
        return to.opaque(value)
    to.spend(c.COST_DEQUE)
    to.out.append(c.DEQUE)
    to.value(deque.maxlen.__get__(value))
    return to.body([*deque.__iter__(value)])


def _range(to: Encoder, value: range) -> None:
    to.spend(c.COST_SMALL)
    if c.range_length(value) > c.MAX_RANGE:
        to.out += token(c.TOO_LARGE, f"range over {c.MAX_RANGE}")
        return
    to.out.append(c.RANGE)
    for part in (value.start, value.stop, value.step):
        _int(to, part)


def _slice(to: Encoder, value: slice) -> None:
    to.spend(c.COST_SMALL)
    to.deeper()  # a slice of slices of slices ...
    to.out.append(c.SLICE)
    for part in (value.start, value.stop, value.step):
        to.value(part)
    to.depth += 1


def _type(to: Encoder, value: type) -> None:
    place = _PLACE.get(id(value))  # by id: hashing a class can be code of the sample's
    if place is None:
        to.opaque(value)
    else:
        to.out += bytes((c.TYPE, place))


_PLACE = {id(kind): place for place, kind in enumerate(c.PLAIN_TYPES)}

EXACT: dict[type, Callable[[Encoder, Any], None]] = {
    type(None): _constant(c.NONE),
    type(...): _constant(c.ELLIPSIS),
    type(NotImplemented): _constant(c.NOT_IMPLEMENTED),
    bool: _bool,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    dict: _dict,
    deque: _deque,
    range: _range,
    slice: _slice,
    type: _type,
    type({}.keys()): _keys,
    type({}.values()): _values,
    type({}.items()): _items,
}
_BY_BASE: dict[type, Callable[[Encoder, Any], None]] = {
    **{kind: write for kind, write in EXACT.items() if kind is not type},
    OrderedDict: _ordered_dict,  # an mro has it before dict
    int: lambda to, value: _int(to, int.__int__(value)),
    float: lambda to, value: _float(to, float.__float__(value)),
    str: lambda to, value: _str(to, str.__str__(value)),
    bytes: lambda to, value: _bytes(to, bytes.__getitem__(value, slice(None))),
}

# ------------------------------------------------------------------ all other types


def other(to: Encoder, value: Any) -> None:
    """Append a value of a type that is not in the table."""
    kind = type(value)
    mro = _MRO(kind)
    number = _imported_number(mro)
    if number is not None and (kind is mro[number[0]] or not to.strict):
        return number[1](to, value)
    if to.strict:
        return to.opaque(value)
    for base in mro:
        if base in _BY_BASE:
            return _BY_BASE[base](to, value)
    if type(kind) is type and not _FLAGS(kind) & _HEAP_TYPE and _is_scalar(kind):
        item = kind.item(value)  # numpy's: no `class` statement made it
        return to.value(item) if type(item) in _SCALARS else to.opaque(value)
    if hasattr(kind, "__next__"):
        return _iterator(to, value)
    return to.opaque(value)


def _imported_number(
    mro: tuple[type, ...],
) -> tuple[int, Callable[[Encoder, Any], None]] | None:
    """Where in `mro` a Decimal or Fraction stands, and how to write it."""
    for module, name, write in (
        ("decimal", "Decimal", _decimal),
        ("fractions", "Fraction", _fraction),
    ):
        # Not imported, never met: the modules cost more than all of this.
        base = getattr(_MODULES.get(module), name, None)
        for place, kind in enumerate(mro):
            if base is kind:
                return place, write
    return None


def _is_scalar(kind: type) -> bool:
    # An array has `item` too, and a length; it is compared item by item, which no list is.
    return hasattr(kind, "item") and not hasattr(kind, "__len__")


def _iterator(to: Encoder, value: Any) -> None:
    """Append what an iterator still yields, item by item: nobody knows how long it goes on."""
    to.spend(c.COST_BODY)
    to.deeper()
    to.out.append(c.ITERATOR)
    at = len(to.out)
    to.out += c.TAGGED_SIZE.pack(c.GENERIC, 0)
    count, items = 0, iter(value)
    while True:
        try:
            item = next(items)
        except StopIteration:
            break
        except BaseException as error:
            raise DrainedError(error) from None
        count += 1
        if count > c.MAX_DRAINED:
            raise TooLargeError(f"an iterator over {c.MAX_DRAINED} items")
        to.spend(1)
        to.room(1)
        to.value(item)
    c.TAGGED_SIZE.pack_into(to.out, at, c.GENERIC, count)
    to.depth += 1


def _decimal(to: Encoder, value: Any) -> None:
    base = _MODULES["decimal"].Decimal
    to.spend(c.COST_SMALL)
    text = base.__str__(value)
    if len(text) <= c.MAX_DECIMAL and c.is_short(base(text)):
        _sized(to, c.DECIMAL, text.encode("ascii"))
    else:
        to.out += token(c.TOO_LARGE, "Decimal with a large exponent")


def _fraction(to: Encoder, value: Any) -> None:
    # Fraction is written in Python: a sample can put an object of its own into these two.
    part = object.__getattribute__
    top, bottom = part(value, "_numerator"), part(value, "_denominator")
    if type(top) is not int or type(bottom) is not int or bottom <= 0:
        return to.opaque(value)
    to.spend(c.COST_SMALL)
    if max(top.bit_length(), bottom.bit_length()) >= 8 * c.MAX_FRACTION_BYTES:
        to.out += token(c.TOO_LARGE, f"Fraction over {c.MAX_FRACTION_BYTES} bytes")
        return None
    to.out.append(c.FRACTION)
    _int(to, top)
    return _int(to, bottom)


# ------------------------------------------------------------------ tokens


def name_of(value: Any) -> str:
    """The name of a value's type, fit to be shown."""
    name = str.__str__(_NAME(type(value)))[: c.MAX_NAME]
    return "".join([char if char.isprintable() else "?" for char in name])


def token(tag: int, text: str) -> bytes:
    """What stands for a value that is not sent."""
    content = text.encode()
    return c.TAGGED_SIZE.pack(tag, len(content)) + content


def opaque_token(value: Any) -> bytes:
    """What stands for a value that raised while it was read. Never raises."""
    try:
        return token(c.OPAQUE, name_of(value))
    except BaseException:  # a full memory, or a signal handler of the sample's
        return b"o\x01\x00\x00\x00?"
