"""Data between the process that holds the tests and the one that runs a sample.

Answers travel as `encode` and `decode` (hostile to trusted), arguments as `dumps_args` and
`loads_args` (trusted to hostile), and what a call changed in its arguments as `snapshot`, `changed`
and `copy_back`. Imported by processes that stay small: a few cheap standard modules and no more.
"""

from __future__ import annotations

import marshal
from collections import deque
from operator import is_ as _is

from trueval.grade.sandbox.codec_common import (
    MAX_DEPTH,
    DecodeError,
    NotData,
    Opaque,
    TooLarge,
)
from trueval.grade.sandbox.codec_decode import decode
from trueval.grade.sandbox.codec_encode import answer, encode, encode_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = [
    "DecodeError",
    "NotData",
    "Opaque",
    "TooLarge",
    "answer",
    "changed",
    "copy_back",
    "decode",
    "dumps_args",
    "encode",
    "loads_args",
    "snapshot",
]

_MARSHAL, _TAGGED = b"M", b"C"
_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})
_MUTABLE = frozenset({list, dict, set, bytearray, deque})
_SEQUENCES = frozenset({list, tuple, set, frozenset})
_DATA = _ATOMS | _MUTABLE | _SEQUENCES
_WALKED = _SEQUENCES | {dict}
_LEAVES = _ATOMS | {bytearray}
# Bound early: what a sample puts into the module later is not called in its own process either.
_dumps, _loads = marshal.dumps, marshal.loads


def dumps_args(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Arguments of a call as bytes for `loads_args`. Raises `NotData` for functions and the like.

    Builtin types (`int`, `ValueError`) are data; other classes, iterators and subclasses of plain
    types (a Counter, an IntEnum) are not, as they would arrive as something else.
    """
    if _is_marshallable(args, MAX_DEPTH) and (
        not kwargs or _is_marshallable(kwargs.values(), MAX_DEPTH)
    ):
        return _MARSHAL + _dumps((args, kwargs))
    return _TAGGED + encode_arguments(args, kwargs)


def loads_args(data: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments in `data`. For trusted bytes only: much of it is `marshal`."""
    content = memoryview(data)[1:]
    args, kwargs = (
        _loads(content) if data[:1] == _MARSHAL else decode(bytes(content), max_bytes=len(data))
    )
    return args, kwargs


def _is_marshallable(values: Iterable[Any], depth: int) -> bool:
    """Whether marshal gives all of these back as they are. It makes bytes of a bytearray."""
    if _ATOMS.issuperset(map(type, values)):
        return True
    if not depth:
        return False
    for value in values:
        kind = type(value)
        if kind in _ATOMS:
            continue
        if kind in _SEQUENCES:
            if not _is_marshallable(value, depth - 1):
                return False
        elif kind is not dict or not (
            _is_marshallable(value, depth - 1) and _is_marshallable(value.values(), depth - 1)
        ):
            return False
    return True


# ------------------------------------------------------------------ changed arguments


def snapshot(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes | None:
    """What `changed` compares with, taken before the call; None when nothing can change."""
    if _ATOMS.issuperset(map(type, args)) and (
        not kwargs or _ATOMS.issuperset(map(type, kwargs.values()))
    ):
        return None
    try:
        return _marshalled(args, kwargs)
    except ValueError:
        return encode((args, kwargs))


def changed(before: bytes | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes | None:
    """The arguments after the call as `encode` makes them, when the call changed any; else None."""
    if before is None:
        return None
    try:
        # An item is a byte or more: with more items than `before` had bytes they are not the same.
        if _has_few_items(args, kwargs, len(before)) and _marshalled(args, kwargs) == before:
            return None
    except BaseException:  # a sample's thread changes them meanwhile
        pass
    after = encode((args, kwargs))  # once only: it drains what iterators a sample put there
    return after if after != before else None  # what `marshal` makes is never equal


def _has_few_items(args: tuple[Any, ...], kwargs: dict[str, Any], most: int) -> bool:
    """Whether these are data that marshal takes, of at most so many items.

    Marshal goes every way there is to an item, and has no end of `a = []; a += [a, a]`. Here each
    way counts as well, but what is too much is found before it is walked.
    """
    for arg in args:  # first of all what most arguments are: atoms, and lists of them
        kind = type(arg)
        if kind in _ATOMS:
            continue
        if not (kind is list and len(arg) <= most and _ATOMS.issuperset(map(type, arg))):
            break
    else:
        if not kwargs:
            return True
    level: list[Any] = [*args, *kwargs.values()]
    for _ in range(MAX_DEPTH + 2):
        inner = [item for item in level if type(item) not in _LEAVES]
        if not inner:
            return True
        if not _WALKED.issuperset(map(type, inner)):
            return False
        most -= sum(map(len, inner))
        if most < 0:
            return False
        level = []
        for items in inner:
            if not _ATOMS.issuperset(map(type, items)):
                level += items
            if type(items) is dict:
                level += items.values()
    return False


def _marshalled(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    # To compare, several times as fast as `encode`. Version 2 is the last without references,
    # which depend on who else holds an object.
    return _dumps((args, kwargs), 2)


def copy_back(target: Any, new: Any) -> None:
    """Make `target` and the containers in it hold what `new` does, in place.

    `new` is the decoded view of the other side; where it has no container of the same type,
    `target` stays. A container that moved within its list is followed by its content.
    """
    kind = type(target)
    if kind is not type(new):
        return
    if kind is list:
        target[:] = _kept_items(target, new)
    elif kind is tuple:
        for old, item in zip(target, new, strict=False):
            copy_back(old, item)
    elif kind is dict:
        kept = {key: _kept(target.get(key), item) for key, item in new.items()}
        target.clear()
        target.update(kept)
    elif kind is set:
        target.clear()
        target.update(new)
    elif kind is bytearray:
        target[:] = new
    elif kind is deque:
        kept_items = _kept_items([*target], [*new])
        target.clear()
        target.extend(kept_items)


def _kept_items(old: list[Any], new: list[Any]) -> list[Any]:
    """`new`, with the containers of `old` in the places of those that became them."""
    if _ATOMS.issuperset(map(type, old)):
        return new
    by_content: dict[bytes | None, list[Any]] = {}
    # From behind, so that equal ones are taken up in their order.
    for item in reversed(old):
        if type(item) not in _ATOMS:
            by_content.setdefault(_content(item), []).append(item)
    by_content.pop(None, None)
    items, taken, unmatched = [*new], set(), []
    for place, item in enumerate(new):
        if type(item) in _ATOMS:
            continue
        same = by_content.get(_content(item))
        if same:
            items[place] = same.pop()
            taken.add(id(items[place]))
        else:
            unmatched.append(place)
    for place in unmatched:
        if place < len(old) and id(old[place]) not in taken:
            items[place] = _kept(old[place], new[place])
    return items


def _content(item: Any) -> bytes | None:
    # Not `encode`, which would drain an iterator that the sample put there.
    try:
        return encode_arguments((item,), {})
    except NotData:
        return None


def _kept(old: Any, new: Any) -> Any:
    """`old` made to hold what `new` does, if both are containers of one type; else `new`."""
    kind = type(old)
    if type(new) is Opaque and kind not in _DATA and new.type_name == kind.__name__:
        return old  # a function or module: it went over by its name, and comes back as no data
    if kind is not type(new) or kind in _ATOMS:
        return new
    if kind is tuple:
        # Itself it cannot change, but what is in it may have, and may be known elsewhere.
        parts = tuple(map(_kept, old, new)) if len(old) == len(new) else new
        return old if all(map(_is, old, parts)) and len(old) == len(new) else parts
    if kind in _MUTABLE:
        copy_back(old, new)
        return old
    return new
