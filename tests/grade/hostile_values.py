"""Answers that lie, raise, grow and contain themselves, each made from a string of bytes.

The bytes are read as choices, one after the other, so that whatever makes bytes up (hypothesis,
atheris, a random generator) makes values up, and the same bytes make the same value again.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

Pair = namedtuple("Pair", "left right")
ERRORS = (ValueError, SystemExit, KeyboardInterrupt, MemoryError, RecursionError, StopIteration)
BASES = (list, tuple, dict, set, frozenset, deque, int, float, complex, str, bytes, bytearray)
METHODS = (
    *("__iter__", "__len__", "__eq__", "__hash__", "__reduce__", "__reduce_ex__", "__repr__"),
    *("__str__", "__bool__", "__index__", "__getitem__", "__contains__", "__next__", "__int__"),
    *("__float__", "__complex__", "__getattribute__", "__getattr__", "__sizeof__", "__lt__"),
    *("items", "keys", "values", "encode", "bit_length", "to_bytes", "item", "real", "maxlen"),
)
MOST = 60
"""Values of one build: what is fuzzed is how they meet, and not how many there are."""


class Tape:
    """Bytes as choices. It ends in zeros, so a cut one makes a smaller value."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.left = MOST

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1."""
        self._at += 1
        return self._data[self._at - 1] % limit if self._at <= len(self._data) else 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self._at += size
        return self._data[self._at - size : self._at]


def built(data: bytes) -> Any:
    """The value that these bytes make. Whatever it does, it ends."""
    return _value(Tape(data), [])


def _value(tape: Tape, seen: list[Any]) -> Any:
    """The next value; `seen` has those that hold it, which it may hold in turn."""
    tape.left -= 1
    if tape.left < 0:
        return None
    return MAKERS[tape.below(len(MAKERS))](tape, seen)


def _some(tape: Tape, seen: list[Any]) -> list[Any]:
    return [_value(tape, seen) for _ in range(tape.below(5))]


def _plain(tape: Tape, seen: list[Any]) -> Any:
    values = (0, True, None, -1, 1 << 63, -(1 << 200), 1.5, float("nan"), 1j, "", "\ud800", b"x")
    return (*values, ..., NotImplemented, int, ValueError)[tape.below(16)]


def _text(tape: Tape, seen: list[Any]) -> Any:
    content = tape.take(tape.below(9))
    return content if tape.below(2) else content.decode("utf-8", "surrogateescape") * 3


def _large(tape: Tape, seen: list[Any]) -> Any:
    """What is short to say, and long to send."""
    choices: tuple[Callable[[], Any], ...] = (
        lambda: range(10**12),
        lambda: range(-(10**30), 10**100, 3),
        lambda: 1 << 9_000_000,
        lambda: Decimal("1E+999999999"),
        lambda: Fraction(1, 1 << 40_000),
        lambda: itertools.repeat("x" * 1000),
        lambda: itertools.count(),
        lambda: ["x" * 10**6] * 1000,
        lambda: set(range(110_000)),
        lambda: "\udfff" * (6 * 10**6),
    )
    return choices[tape.below(len(choices))]()


def _list(tape: Tape, seen: list[Any]) -> Any:
    found: list[Any] = []
    found += _some(tape, [*seen, found])
    return (found, deque(found, tape.below(4) or None))[tape.below(2)]


def _tuple(tape: Tape, seen: list[Any]) -> Any:
    items = _some(tape, seen)
    return (tuple(items), Pair(items, items), slice(*(items * 3 + [None])[:3]))[tape.below(3)]


def _set(tape: Tape, seen: list[Any]) -> Any:
    found: set[Any] = set()
    for item in _some(tape, seen):
        if _is_hashable(item):
            with contextlib.suppress(BaseException):  # two of them are compared, and one raises
                found.add(item)
    return (found, frozenset(found))[tape.below(2)]


def _dict(tape: Tape, seen: list[Any]) -> Any:
    found: Any = (dict, OrderedDict, Counter, lambda: defaultdict(list))[tape.below(4)]()
    for value in _some(tape, [*seen, found]):
        key = _value(tape, seen)
        with contextlib.suppress(BaseException):  # two keys are compared, and one raises
            dict.__setitem__(found, key if _is_hashable(key) else tape.below(7), value)
    views = (lambda: found, found.keys, found.values, found.items, lambda: iter(found))
    return views[tape.below(len(views))]()


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
        return bool((value == value) in (True, False))
    except BaseException:
        return False


def _itself(tape: Tape, seen: list[Any]) -> Any:
    """Something that this value is in."""
    return seen[tape.below(len(seen))] if seen else None


def _iterator(tape: Tape, seen: list[Any]) -> Any:
    items, error = _some(tape, seen), ERRORS[tape.below(len(ERRORS))]

    def raising() -> Iterator[Any]:
        yield from items
        raise error

    def growing() -> Iterator[Any]:
        """Changes what it goes over, and what holds it."""
        table = dict.fromkeys(range(3))
        for key in table:
            table[key + 1000] = None
            for holder in seen:
                _disturb(holder)
            yield key

    def disturbing() -> Iterator[Any]:
        for item in items:
            for holder in seen:
                _disturb(holder)
            yield item

    def endless() -> Iterator[Any]:
        while True:
            yield items

    made = (raising, growing, disturbing, endless, lambda: map(str, items), lambda: iter(items))
    return made[tape.below(len(made))]()


def _disturb(holder: Any) -> None:
    """Change a container while it is being sent."""
    if isinstance(holder, list) and list.__len__(holder) < 1000:
        list.append(holder, holder)
    elif isinstance(holder, dict) and dict.__len__(holder) < 1000:
        dict.__setitem__(holder, len(holder), holder)


def _liar(tape: Tape, seen: list[Any]) -> Any:
    """A subclass of a plain type, or of none, some of whose methods raise or lie."""
    base: Any = (*BASES, object, Exception, Decimal, Fraction)[tape.below(len(BASES) + 4)]
    inner = _some(tape, seen)
    body = {METHODS[tape.below(len(METHODS))]: _lie(tape, inner) for _ in range(tape.below(5))}
    if tape.below(3) == 0:
        body["__class__"] = BASES[tape.below(len(BASES))]
    meta: Any = _lying_metaclass(tape) if tape.below(3) == 0 else type
    name = ("int", "x" * 300, "\x1b[31m", "")[tape.below(4)]
    try:
        kind = meta(name, (base,), body)
        return (_instance(kind, base, inner), kind)[tape.below(6) == 0]
    except BaseException:  # some lies are none that Python lets one tell
        return base


def _lie(tape: Tape, inner: list[Any]) -> Any:
    error = ERRORS[tape.below(len(ERRORS))]

    def raises(*_: Any, **__: Any) -> Any:
        raise error

    def disturbs(self: Any, *_: Any) -> Any:
        _disturb(self)
        return inner

    lies: tuple[Any, ...] = (
        raises,
        disturbs,
        lambda *_: True,
        lambda *_: inner,
        lambda *_: -1,
        lambda *_: iter(inner),
        lambda *_: "text",
        property(raises),
        None,
    )
    return lies[tape.below(len(lies))]


def _lying_metaclass(tape: Tape) -> Any:
    body = {
        ("__eq__", "__hash__", "__mro__", "__name__", "__flags__", "__getattribute__", "mro")[
            tape.below(7)
        ]: (lambda *_: True, lambda *_: hash(int), (int, object), "int", 0)[tape.below(5)]
        for _ in range(tape.below(4))
    }
    return type("Meta", (type,), body)


def _instance(kind: Any, base: Any, inner: list[Any]) -> Any:
    """An instance with content, made without what the class says of how it is made."""
    made = base.__new__(kind, *((inner,) if base in (tuple, frozenset) else ()))
    if base is list:
        list.extend(made, inner)
    elif base is dict:
        dict.update(made, dict(enumerate(inner)))
    return made


MAKERS: tuple[Callable[[Tape, list[Any]], Any], ...] = (
    *(_plain, _text, _list, _tuple, _set, _dict, _itself, _iterator, _liar, _liar, _list, _large),
)
