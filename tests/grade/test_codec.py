"""The codec from both sides: exact for data, harmless for everything else."""

from __future__ import annotations

import enum
import itertools
import math
import struct
import subprocess
import sys
import time
import tracemalloc
from array import array
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grade import fuzz_codec
from trueval.grade.sandbox import codec_common as limits
from trueval.grade.sandbox.codec import (
    DecodeError,
    NotData,
    Opaque,
    TooLarge,
    changed,
    copy_back,
    decode,
    dumps_args,
    encode,
    loads_args,
    snapshot,
)

# ------------------------------------------------------------------ plain values

hashable = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(1 << 300), max_value=1 << 300),
        st.floats(),
        st.complex_numbers(),
        st.text(st.characters(codec=None)),  # lone surrogates too
        st.binary(),
        st.sampled_from([..., NotImplemented, int, type(None), ValueError]),
        st.decimals(allow_nan=False).filter(lambda d: not d.is_snan()),
        st.fractions(),
        st.builds(range, st.integers(0, 50), st.integers(0, 50), st.integers(1, 9)),
    ),
    lambda inner: st.lists(inner, max_size=5).map(tuple) | st.frozensets(inner, max_size=5),
    max_leaves=8,
)
values = st.recursive(
    hashable,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(st.integers()),
        st.lists(st.floats()),
        st.lists(st.text()),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(hashable, inner, max_size=4),
        st.sets(hashable, max_size=4),
        st.builds(deque, st.lists(inner, max_size=4), st.none() | st.integers(0, 5)),
        st.binary().map(bytearray),
        st.builds(slice, inner, inner, inner),
    ),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal in type and content, bit by bit; sets as sets."""
    kind = type(left)
    if kind is not type(right):
        return False
    if kind is float:
        return struct.pack("d", left) == struct.pack("d", right)
    if kind is complex:
        return same([left.real, left.imag], [right.real, right.imag])
    if kind in (list, tuple, deque):
        limit = kind is not deque or left.maxlen == right.maxlen
        return limit and len(left) == len(right) and all(map(same, left, right))
    if kind is dict:
        return same([*left.items()], [*right.items()])
    if kind in (set, frozenset):
        return len(left) == len(right) and all(any(same(a, b) for b in right) for a in left)
    if kind is slice:
        return same((left.start, left.stop, left.step), (right.start, right.stop, right.step))
    if kind is Decimal:
        return bool(left.as_tuple() == right.as_tuple())
    return bool(left == right)


@given(values)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_plain_values_arrive_exactly(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(values, st.integers(0, 60), st.integers(1, 4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_one_side_sends_under_limits_the_other_takes(
    value: Any, items: int, depth: int
) -> None:
    data = encode(value, max_items=items, max_depth=depth)
    arrived = decode(data, max_items=max(items, limits.COST_SMALL), max_depth=depth)
    assert same(arrived, value) or isinstance(arrived, TooLarge)


@given(values)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_cut_or_longer_encoding_is_none(value: Any) -> None:
    data = encode(value)
    for end in range(0, len(data), 1 + len(data) // 100):
        with pytest.raises(DecodeError):
            decode(data[:end])
    with pytest.raises(DecodeError):
        decode(data + b"N")


@pytest.mark.parametrize(
    "value", [10**10_000, -(10**10_000), 1 << 63, -(1 << 63), (1 << 63) - 1], ids=range(5)
)
def test_ints_of_any_size(value: int) -> None:
    assert decode(encode(value)) == value
    assert decode(encode([1, value])) == [1, value]


def test_numbers_that_compare_strangely() -> None:
    nan, minus = decode(encode([math.nan, -0.0]))
    assert math.isnan(nan)
    assert math.copysign(1, minus) == -1
    assert decode(encode(True)) == 1
    assert decode(encode(True)) is True
    assert Decimal("sNaN").is_snan() and decode(encode(Decimal("sNaN"))).is_snan()


@pytest.mark.parametrize("deep", [list, tuple, deque])
def test_values_may_be_nested_and_not_endlessly(deep: Callable[..., Any]) -> None:
    value: Any = 1
    for _ in range(limits.MAX_DEPTH - 1):
        value = deep([value, "x"])
    assert decode(encode(value)) == value
    for _ in range(2):
        value = deep([value, "x"])
    assert isinstance(decode(encode(value)), TooLarge)
    for _ in range(50_000):
        value = [value]
    assert isinstance(decode(encode(value)), TooLarge)


def test_dict_views_keep_their_kind_and_order() -> None:
    table = {"b": [1], "a": [2]}
    for view in (table.keys(), table.values(), table.items()):
        arrived = decode(encode(view))
        assert type(arrived) is type(view)
        assert [*arrived] == [*view]
    assert decode(encode(table.keys())) == {"a", "b"}


# ------------------------------------------------------------------ subclasses


class Color(enum.IntEnum):
    RED = 3


class Loud(str):
    def __str__(self) -> str:
        return "another"

    def encode(self, *_: Any) -> bytes:
        return b"another"


class Liar(list):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[Any]:
        return iter([9, 9])

    def __len__(self) -> int:
        return 2

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


Point = namedtuple("Point", "x y")
ORDERED = OrderedDict(a=1, b=2)
ORDERED.move_to_end("a")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Color.RED, 3),
        (Loud("x"), "x"),
        ([Loud("x"), "y"], ["x", "y"]),
        (Liar([1, 2, 3]), [1, 2, 3]),
        (Point(1, [2]), (1, [2])),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (ORDERED, {"b": 2, "a": 1}),
        (ORDERED.keys(), {"b": 2, "a": 1}.keys()),
        (type("F", (float,), {"__float__": lambda _: 9.0})(1.5), 1.5),
        (type("C", (complex,), {"real": 9})(1j), 1j),
        (type("B", (bytes,), {"__bytes__": lambda _: b"9"})(b"x"), b"x"),
        (type("S", (set,), {"__iter__": lambda _: iter([9])})({1}), {1}),
        (type("D", (Decimal,), {"__str__": lambda _: "9"})("1.5"), Decimal("1.5")),
        (type("Q", (Fraction,), {"numerator": 9})(1, 2), Fraction(1, 2)),
        (type("K", (deque,), {"maxlen": 9})([1], 2), deque([1], 2)),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ([np.int64(3), np.str_("x")], [3, "x"]),
        ({np.int64(3): 1}, {3: 1}),
    ],
)
def test_subclasses_become_what_they_are_made_of(value: Any, plain: Any) -> None:
    arrived = decode(encode(value))
    assert type(arrived) is type(plain)
    assert arrived == plain if not isinstance(plain, type({}.items())) else [*arrived] == [*plain]
    assert repr(arrived) == repr(plain)


def test_numpy_arrays_are_no_lists() -> None:
    # `array == list` is an array, with no truth value: an assert on it fails in the original too.
    for value in (np.array([1, 2]), np.array([1]), np.longdouble(1), np.datetime64("2020-01-01")):
        assert isinstance(decode(encode(value)), Opaque)


# ------------------------------------------------------------------ hostile values


class Hostile:
    """Every way in raises SystemExit, or lies."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit

    __call__ = __iter__ = __len__ = __hash__ = __reduce__ = __bool__ = __index__ = __getattribute__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


class Meta(type):
    """A class of it says that it is every type."""

    __name__ = "int"
    __mro__ = (int, object)

    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return hash(int)

    def __getattribute__(cls, name: str) -> Any:
        return int.__getattribute__(5, name)


class Masked(metaclass=Meta):
    __class__ = int  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


REFUSED_ACTIONS: tuple[Callable[[Any], object], ...] = (
    *(bool, len, iter, sorted, int),
    *(lambda x: x + 1, lambda x: x < 1, lambda x: x(), lambda x: x[0]),
)


def _half_a_fraction() -> Fraction:
    value = Fraction(1, 2)
    value._numerator = mock.ANY  # type: ignore[attr-defined]
    return value


@pytest.mark.parametrize(
    "make",  # in the test, for pytest looks at parameters
    [
        lambda: mock.ANY,
        mock.Mock,
        Hostile,
        object,
        lambda: Masked,
        lambda: Hostile,
        lambda: print,
        lambda: sys,
        lambda: Hostile.__init__,
        _half_a_fraction,
        lambda: memoryview(b"x"),
        lambda: array("q", [1]),
        lambda: type("x" * 500 + "\n", (), {})(),
        lambda: type("\x1b[31m", (), {})(),
    ],
    ids=range(14),
)
def test_what_is_not_data_is_equal_to_nothing(make: Callable[[], Any]) -> None:
    value = make()
    for arrived in (decode(encode(value)), decode(encode([1, value]))[1]):
        assert type(arrived) is Opaque
        assert (arrived == 5) is False
        assert (arrived == arrived) is False
        assert len(arrived.type_name) <= 100 and arrived.type_name.isprintable()
        for action in REFUSED_ACTIONS:
            with pytest.raises(TypeError):
                action(arrived)


def test_a_lying_metaclass_gets_nothing_by_it() -> None:
    assert type(decode(encode(Masked()))) is Opaque
    assert decode(encode([1, Masked(), 3])) != [1, 2, 3]
    assert decode(encode(["a", Masked()])) != ["a", "b"]


class HashableList(list):  # type: ignore[type-arg]
    def __hash__(self) -> int:  # type: ignore[override]
        return 1


def test_keys_stay_hashable_when_they_become_plain() -> None:
    arrived = decode(encode({(HashableList([1]), 2): "x"}))
    ((key, _),) = arrived
    assert isinstance(key, Opaque)


def test_cycles_end() -> None:
    knot: list[Any] = [1]
    knot.append(knot)
    table: dict[str, Any] = {}
    table["self"] = table
    both: list[Any] = []
    both += [both, both]
    for value in (knot, table, both, (knot,), deque([knot])):
        assert isinstance(decode(encode(value)), TooLarge)


def test_shared_objects_do_not_multiply() -> None:
    laughs: Any = ["lol"] * 10
    for _ in range(20):
        laughs = [laughs] * 10
    text = ["x" * 1_000_000] * 100_000
    started = time.thread_time()
    assert isinstance(decode(encode(laughs)), TooLarge)
    assert time.thread_time() - started < 20
    tracemalloc.start()
    try:
        assert isinstance(decode(encode(text)), TooLarge)
        assert isinstance(decode(encode(dict.fromkeys(range(9), text))), TooLarge)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value",
    [
        1 << (8 * limits.MAX_INT_BYTES),
        range(2 * 10**9),
        range(10**100),
        Decimal("1E+999999999"),
        Decimal("1E-999999999"),
        Decimal("1" * 200_000),
        Fraction(1, 1 << 40_000),
        "x" * (limits.MAX_BYTES + 1),
        [0] * (limits.MAX_ITEMS + 1),
        set(range(limits.MAX_HASHED + 1)),
        itertools.count(),
        itertools.repeat("x" * 1000),
    ],
    ids=range(12),
)
def test_what_would_hurt_the_tests_is_too_large(value: Any) -> None:
    assert isinstance(decode(encode(value)), TooLarge)


def test_long_ranges_and_ints_are_refused_on_arrival_too() -> None:
    def an_int(value: int) -> bytes:
        return limits.TAGGED_INT.pack(limits.INT, value)

    assert isinstance(decode(b"r" + an_int(0) + an_int(2 * 10**9) + an_int(1)), TooLarge)
    assert isinstance(decode(b"I" + struct.pack("<I", 2**21) + b"\1" * 2**21), TooLarge)
    assert isinstance(decode(b"D" + struct.pack("<I", 12) + b"1E+999999999"), TooLarge)
    with pytest.raises(DecodeError):
        decode(b"r" + an_int(0) + an_int(1) + an_int(0))


# ------------------------------------------------------------------ iterators


class Countdown:
    def __init__(self) -> None:
        self.left = 3

    def __iter__(self) -> Countdown:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left


@pytest.mark.parametrize(
    ("lazy", "items"),
    [
        (lambda: (x for x in [1, 2]), [1, 2]),
        (lambda: map(str, [1, 2]), ["1", "2"]),
        (lambda: zip([1], "a", strict=True), [(1, "a")]),
        (lambda: reversed([1, 2]), [2, 1]),
        (lambda: enumerate("a"), [(0, "a")]),
        (lambda: filter(None, [0, 1]), [1]),
        (Countdown, [2, 1, 0]),
        (lambda: iter([]), []),
    ],
)
def test_iterators_arrive_as_iterators(lazy: Callable[[], Any], items: list[Any]) -> None:
    arrived = decode(encode(lazy()))
    assert arrived != items
    assert [*arrived] == items
    assert [[*inner] for inner in decode(encode([lazy(), lazy()]))] == [items, items]


def test_iterators_that_raise_or_never_end_are_opaque() -> None:
    def raising(error: BaseException) -> Iterator[int]:
        yield 1
        raise error

    def growing() -> Iterator[Any]:
        table = {0: 0}
        for key in table:
            table[key + 1] = 0
            yield key

    for error in (ValueError(), SystemExit(), KeyboardInterrupt(), MemoryError(), GeneratorExit()):
        assert type(decode(encode([raising(error)]))) is Opaque
    assert type(decode(encode(growing()))) is Opaque
    assert type(decode(encode(iter(itertools.count, None)))) is TooLarge


# ------------------------------------------------------------------ hostile bytes


def test_random_and_mutated_bytes_do_no_harm() -> None:
    tracemalloc.start()
    try:
        assert fuzz_codec.run(10_000) == 10_000
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    fuzz_codec.check(data)


def _body(count: int, items: bytes, form: bytes = b"g") -> bytes:
    return form + struct.pack("<I", count) + items


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"L",
        b"L" + _body(0xFFFFFFFF, b""),
        b"L" + _body(0xFFFFFFFF, b"N" * 1000),
        b"L" + _body(500, b"N" * 600, b"q"),
        b"L" + _body(2, struct.pack("<3I", 1, 0xFFFFFFFF, 2) + b"ab", b"u"),
        b"L" + _body(1, struct.pack("<2I", 2, 3) + b"abc", b"u"),
        b"s\x01\0\0\0\xff",
        b"s\xff\xff\xff\xff",
        b"L\0\0\0\0\0",
        b"S" + _body(1, b"L" + _body(0, b"")),
        b"d" + _body(1, b"N") + _body(0, b""),
        b"Q" + b"T" + _body(0, b""),
        b"Qi" + struct.pack("<q", -1) + _body(0, b""),
        b"D\x03\0\0\0abc",
        b"/i" + struct.pack("<q", 1) + b"i" + struct.pack("<q", 0),
        b"y\xff",
        b"o\x01\0\0\0\n",
        b"o" + struct.pack("<I", 101) + b"x" * 101,
        b"L\x67\1\0\0\0" * 5000,
        b":" * 5000,
        b"\x80\x04N.",
    ],
    ids=range(22),
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


@pytest.mark.parametrize(
    "piece", [b"S" + _body(0, b""), b"QN" + _body(0, b""), b"L" + _body(0, b"")]
)
def test_empty_containers_cannot_fill_the_memory(piece: bytes) -> None:
    count = limits.MAX_BYTES // len(piece) - 10
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(b"L" + _body(count, piece * count))
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_keys_chosen_to_collide_are_refused() -> None:
    flood = [k * (2**61 - 1) for k in range(1, 50_000)]  # all have hash 0
    data = b"S" + encode([None, *flood])[1:]
    started = time.thread_time()
    with pytest.raises(DecodeError, match="one hash"):
        decode(data)
    assert time.thread_time() - started < 5
    grid = set(itertools.product(range(-4, 4), repeat=4))  # hash(-1) == hash(-2)
    assert decode(encode(grid)) == grid


# ------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    "args",
    [
        (),
        (1, "a", [1.5, None], {"k": {1, 2}}, (b"x", frozenset({3}))),
        (bytearray(b"x"), [bytearray(b"y")]),
        (deque([1], 2), Decimal("1.5"), Fraction(1, 2), range(3), ...),
        (int, [str, ValueError]),
        (10**5000, "\ud800"),
    ],
    ids=range(6),
)
def test_arguments_arrive_exactly(args: tuple[Any, ...]) -> None:
    kwargs = {"a": [1], "b": args}
    assert same(loads_args(dumps_args(args, kwargs)), (args, kwargs))


def test_one_list_passed_twice_arrives_as_one() -> None:
    items = [1]
    (first, second), _ = loads_args(dumps_args((items, items), {}))
    assert first is second


@pytest.mark.parametrize(
    "argument",
    [print, Hostile, sys, lambda: 1, iter([1]), Color.RED, Point(1, 2), Counter(), object()],
    ids=range(9),
)
def test_what_would_arrive_as_something_else_is_no_argument(argument: Any) -> None:
    for args, kwargs in (((argument,), {}), (([argument],), {}), ((), {"a": {"b": argument}})):
        with pytest.raises(NotData):
            dumps_args(args, kwargs)


def test_a_refused_iterator_is_not_drained() -> None:
    items = iter([1, 2])
    with pytest.raises(NotData):
        dumps_args(([items],), {})
    assert [*items] == [1, 2]


# ------------------------------------------------------------------ changes


def over_there(action: Callable[..., Any], *args: Any, **kwargs: Any) -> bytes | None:
    """Call `action` with what arrives of the arguments, and copy back what it changed."""
    there, named = loads_args(dumps_args(args, kwargs))
    before = snapshot(there, named)
    action(*there, **named)
    data = changed(before, there, named)
    if data is not None:
        copy_back((args, kwargs), decode(data))
    return data


def test_nothing_is_sent_when_nothing_changed() -> None:
    assert snapshot((1, "a"), {"b": 2.0}) is None
    assert over_there(lambda *_: None, 1, "a") is None
    assert over_there(sorted, [3, 1]) is None
    assert over_there(lambda *_, **__: None, [{1, 2}], bytearray(b"x"), d=deque([1])) is None


@pytest.mark.parametrize(
    ("argument", "action", "after"),
    [
        ([3, 1, 2], list.sort, [1, 2, 3]),
        ([1], lambda x: x.append([2]), [1, [2]]),
        ([1, 2], list.clear, []),
        ({"a": 1, "b": 2}, lambda x: x.update(c=x.pop("a")), {"b": 2, "c": 1}),
        ({1}, lambda x: x.add(2), {1, 2}),
        (bytearray(b"ab"), bytearray.reverse, bytearray(b"ba")),
        (deque([1, 2], 2), lambda x: x.append(3), deque([2, 3], 2)),
        ([1], lambda x: x.append(True), [1, True]),
        (([1], 2), lambda x: x[0].append(3), ([1, 3], 2)),
    ],
)
def test_changes_happen_in_place(argument: Any, action: Callable[..., Any], after: Any) -> None:
    assert over_there(action, argument) is not None
    assert same(argument, after)


def test_inner_containers_keep_their_identity() -> None:
    row, other, table, pair = [3, 1], [2], {"k": [1]}, ([1], 2)
    everything = [row, other, table, pair]
    over_there(lambda x: (x[0].sort(), x[2]["k"].append(2), x[3][0].append(9)), everything)
    assert everything == [[1, 3], [2], {"k": [1, 2]}, ([1, 9], 2)]
    assert everything[0] is row and everything[2] is table and everything[3] is pair
    over_there(lambda x: (x.pop(), x.pop(), x.reverse()), everything)
    assert everything[0] is other and everything[1] is row
    assert (row, other) == ([1, 3], [2])


def test_hostile_changes_stay_data() -> None:
    items: list[Any] = [1, [2]]
    over_there(lambda x: x.extend([mock.ANY, Hostile(), (n for n in [7])]), items)
    assert items[:2] == [1, [2]]
    assert isinstance(items[2], Opaque) and isinstance(items[3], Opaque)
    assert [*items[4]] == [7]
    for new in (5, {"a": 1}, Opaque("x"), (), ([1], [2], [3])):
        target: Any = [1]
        copy_back(target, new)
        assert target == [1]
    knot: list[Any] = [1]
    assert over_there(lambda x: x.append(x), knot) is not None
    assert knot == [1]


def _knot(items: list[Any]) -> None:
    items[:] = [items, items]


def _doubled(items: list[Any]) -> None:
    for _ in range(60):
        items[:] = [[*items]] * 2


def _code(items: list[Any]) -> None:
    constants: Any = (1,)
    for _ in range(22):  # making a code object walks all of its constants itself
        constants = (constants, constants)
    items[:] = [compile("0", "", "eval").replace(co_consts=constants)]


def _keys(items: list[Any]) -> None:
    key: Any = (1,)
    for _ in range(60):
        key = (key, key)
    items[:] = [{1: key}]


@pytest.mark.parametrize("tie", [_knot, _doubled, _code, _keys])
@pytest.mark.parametrize("before", [[1], [*range(100_000)], [deque([1])]])
def test_an_argument_of_many_ways_is_changed_at_once(
    tie: Callable[[list[Any]], None], before: list[Any]
) -> None:
    started = time.thread_time()
    data = over_there(tie, [*before])
    assert data is not None and len(data) < 200
    assert time.thread_time() - started < 5


@given(st.recursive(st.none() | st.integers() | st.binary(), st.lists, max_leaves=20))
@settings(max_examples=100, deadline=None)
def test_what_did_not_change_is_never_sent(value: Any) -> None:
    for argument in (value, (value, {1: value}), [bytearray(b"x"), {"a": [value]}, {1, (2,)}]):
        before = snapshot((argument,), {"k": argument})
        assert changed(before, (argument,), {"k": argument}) is None


# ------------------------------------------------------------------ the processes it runs in


def test_it_imports_next_to_nothing() -> None:
    code = """
import sys
for name in ("trueval", "trueval.grade", "trueval.grade.sandbox"):
    package = type(sys)(name)
    package.__path__ = [sys.argv[1] + name.replace(".", "/").removeprefix("trueval")]
    sys.modules[name] = package
import trueval.grade.sandbox.codec as codec
codec.decode(codec.encode([1, {"a": (2.0,)}, iter([1])]))
print(*({"typing", "pathlib", "decimal", "fractions", "re", "pickle"} & {*sys.modules}))
print(*(name for name in sys.modules if name.startswith("trueval") and ".codec" not in name))
"""
    root = limits.__file__.rpartition("/grade/")[0]
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code, root], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\ntrueval trueval.grade trueval.grade.sandbox\n"
