"""What both directions of the codec share: tags, limits, and the stand-ins for what is not data.

A value is one tag byte and its content. Every container is a *body*: its form (`GENERIC`, or
packed when all items are small ints, floats or strings), a count, the items. Numbers are little
endian. Every encoding is self-delimiting, so a cut one is never a whole one.
"""

from __future__ import annotations

import builtins
from struct import Struct

TYPE_CHECKING = False  # as in `typing`, whose import costs more than all the rest of this
if TYPE_CHECKING:
    from typing import Any

NONE, TRUE, FALSE, ELLIPSIS, NOT_IMPLEMENTED = b"NTF.!"
INT, BIG_INT, FLOAT, COMPLEX, STR, BYTES, BYTEARRAY = b"iIfcsbB"
LIST, TUPLE, SET, FROZENSET, DICT, DEQUE = b"LtSZdQ"
KEYS, VALUES, ITEMS, ITERATOR = b"kvej"
RANGE, SLICE, DECIMAL, FRACTION, TYPE = b"r:D/y"
OPAQUE, OPAQUE_TRUE, OPAQUE_FALSE, TOO_LARGE = b"o10X"
GENERIC, INTS, FLOATS, STRS = b"gqdu"

TAGGED_INT = Struct("<Bq")
TAGGED_FLOAT = Struct("<Bd")
TAGGED_COMPLEX = Struct("<Bdd")
TAGGED_SIZE = Struct("<BI")
"""A tag before so many bytes, or the form of a body before so many items."""
SIZE = Struct("<I")

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200
MAX_ITEMS = 2_000_000
"""Units, and about what is in memory: an item is one, and a container some more (below)."""
MAX_HASHED = 100_000
"""Dict keys and set elements of one value: chosen well, n of them cost n * n / 4 probes."""
MAX_DRAINED = 100_000
"""Items of one iterator."""
MAX_RANGE = 1_000_000
"""Length of a range: it costs nothing itself, but a test may make a list of it."""
MAX_INT_BYTES = 1024 * 1024
MAX_FRACTION_BYTES = 4096
"""Of each part: building a Fraction takes their greatest common divisor, in quadratic time."""
MAX_DECIMAL = 100_000
"""Characters, and exponent: Decimal('1E+999999999') is short, but not as an int."""
MAX_NAME = 100

# What a container costs in units, beside its items. About 50 bytes a unit, in CPython.
COST_BODY, COST_HASHED, COST_DEQUE, COST_SMALL = 4, 16, 64, 8

PLAIN_TYPES: tuple[type, ...] = (
    *(object, type, type(None), type(...), type(NotImplemented)),
    *(bool, int, float, complex, str, bytes, bytearray, memoryview),
    *(list, tuple, dict, set, frozenset, range, slice),
    *(
        kind
        for _, kind in sorted(vars(builtins).items())
        if isinstance(kind, type) and issubclass(kind, BaseException)
    ),
)
"""Types that are answers themselves, sent as their place in this table."""


class DecodeError(ValueError):
    """The bytes are not what `encode` makes."""


class NotData(TypeError):
    """An argument that cannot be sent as data, such as a function."""

    def __init__(self, message: str, value: object = None) -> None:
        super().__init__(message)
        self.answered = ""
        """What kind of answer it is, if it is no data because a program's answer was none."""
        if isinstance(value, Opaque):
            self.answered = value.type_name
        elif isinstance(value, Drained):
            self.answered = "an iterator"


class Opaque:
    """An answer that is not data: equal to nothing, itself included, and no operation works.

    But it is true or false, where the program could say which.
    """

    __slots__ = ("truth", "type_name")

    def __init__(self, type_name: str, truth: bool | None = None) -> None:
        self.type_name, self.truth = type_name, truth

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        if self.truth is None:
            raise TypeError(f"the answer is {self!r}, which is neither true nor false")
        return self.truth

    def __repr__(self) -> str:
        return f"<opaque {self.type_name}>"


class Drained:
    """An iterator that a program returned: it has run there, and has what it gave."""

    __slots__ = ("_items",)

    def __init__(self, items: list[Any]) -> None:
        self._items = iter(items)

    def __iter__(self) -> Drained:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def __repr__(self) -> str:
        return "<iterator>"


class TooLarge(Opaque):
    """An answer that is over a limit of the codec; `type_name` says which."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<too large: {self.type_name}>"


def range_length(steps: range) -> int:
    """`len(steps)`, also where that overflows."""
    try:
        return len(steps)
    except OverflowError:
        return (steps[-1] - steps[0]) // steps.step + 1


def is_short(decimal: Any) -> bool:
    """Whether an exact Decimal of few digits stays short as an int or a fraction."""
    return not decimal.is_finite() or abs(decimal.adjusted()) <= MAX_DECIMAL
