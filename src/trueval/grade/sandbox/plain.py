"""Answers as plain data, so that a comparison is decided by the test and not by the answer.

A sample can return an object whose `__eq__` always says yes. Whatever it returns is therefore
rebuilt from exact built-in types, read by the base class's own methods; what cannot be rebuilt
becomes an `Opaque`, which is equal to nothing. Needs only the standard library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

ATOMS = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type,
        type(...),
        type(NotImplemented),
    }
)
"""Exact types whose comparison runs no code of the sample's."""

_EMPTY: dict[Any, Any] = {}
_KEYS, _VALUES, _ITEMS = type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items())
_MRO = type.__dict__["__mro__"].__get__  # not `kind.__mro__`: a metaclass can make that up
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set on every class that a `class` statement makes


class Opaque:
    """An answer that is not data. It is equal to nothing and has no truth value."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(
            "the answer is an object of the sample's own, which is neither true nor false"
        )


def plain(value: Any) -> Any:
    """`value` rebuilt from exact built-in types; `Opaque` for what is not data."""
    kind = type(value)
    if kind in ATOMS:
        return value
    for base in _MRO(kind):
        if base in _REBUILD:
            return _REBUILD[base](value)
    if type(kind) is type and not kind.__flags__ & _HEAP_TYPE and hasattr(kind, "item"):
        return plain(kind.item(value))  # numpy's scalars; no `class` statement makes such a type
    if hasattr(kind, "__next__"):
        return _lazily(value)
    return Opaque()


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with its answers as plain data."""

    def candidate(*args: Any, **kwargs: Any) -> Any:
        return plain(function(*args, **kwargs))

    return candidate


def _lazily(iterator: Iterator[Any]) -> Iterator[Any]:
    # Not drained ahead: an endless generator is a wrong answer, and no endless loop.
    for item in iterator:
        yield plain(item)


def _sequence(base: Any) -> Callable[[Any], Any]:
    def rebuild(value: Any) -> Any:
        return base([v if type(v) in ATOMS else plain(v) for v in base.__iter__(value)])

    return rebuild


def _dict(value: Any) -> dict[Any, Any]:
    return {plain(key): plain(item) for key, item in dict.items(value)}


def _deque(value: Any) -> Any:
    limit = deque.maxlen.__get__(value)
    return deque([plain(item) for item in deque.__iter__(value)], limit)


def _decimal(value: Any) -> Any:
    return Decimal(Decimal.as_tuple(value))  # type: ignore[arg-type]


def _fraction(value: Any) -> Any:
    # Fraction is written in Python: a sample can put an object of its own into these two.
    part = object.__getattribute__
    top, bottom = plain(part(value, "_numerator")), plain(part(value, "_denominator"))
    return Fraction(top, bottom) if type(top) is int and type(bottom) is int else Opaque()


_REBUILD: dict[Any, Callable[[Any], Any]] = {
    bool: lambda value: value,
    int: int.__int__,
    float: float.__float__,
    complex: lambda v: complex(complex.real.__get__(v), complex.imag.__get__(v)),
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    bytearray: lambda value: bytearray(bytearray.__getitem__(value, slice(None))),
    list: _sequence(list),
    tuple: _sequence(tuple),
    set: _sequence(set),
    frozenset: _sequence(frozenset),
    dict: _dict,
    deque: _deque,
    Decimal: _decimal,
    Fraction: _fraction,
    _KEYS: lambda view: dict.fromkeys([plain(key) for key in view]).keys(),
    _VALUES: lambda view: dict(enumerate([plain(value) for value in view])).values(),
    _ITEMS: lambda view: {plain(key): plain(value) for key, value in view}.items(),
}
