"""The codec under fuzz: short runs of `fuzz_codec.py`, and hypothesis on both sides."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grade import fuzz_codec
from tests.grade.hostile_values import BASES, built
from trueval.grade.sandbox import codec_common as limits
from trueval.grade.sandbox.codec import DecodeError, Opaque, decode, encode


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_is_sent_as_bytes_that_decode(data: bytes) -> None:
    fuzz_codec.check_encode(data)


def test_random_values_do_no_harm() -> None:
    assert fuzz_codec.run(1000, side="encode") == 1000


@given(st.binary(max_size=120), st.integers(0, 2000), st.integers(0, 6), st.integers(0, 60))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_value_is_sent_over_a_limit(data: bytes, size: int, depth: int, items: int) -> None:
    content = encode(built(data), max_bytes=size, max_depth=depth, max_items=items)
    # What says that it was too much is short, and may be longer than a limit of nothing.
    longest = max(size, 5 + 4 * limits.MAX_NAME)
    assert len(content) <= longest
    decode(content)


EMPTY: dict[int, int] = {}
PLAIN = {
    *(type(None), type(...), type(NotImplemented), type, bool, range, slice, Decimal, Fraction),
    *(*BASES, *map(type, (EMPTY.keys(), EMPTY.values(), EMPTY.items()))),
    limits.Drained,
}


@given(st.binary(max_size=120))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_arrives_is_plain(data: bytes) -> None:
    waiting = [decode(encode(built(data)))]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        assert kind in PLAIN or isinstance(value, Opaque), kind
        if hasattr(kind, "__iter__") and kind not in (str, bytes, bytearray, range):
            waiting += [*value.items()] if kind is dict else [*value]


def test_the_bytes_make_values_of_many_kinds() -> None:
    rng = random.Random(0)
    made = [built(rng.randbytes(60)) for _ in range(500)]
    # Not what their types say: they lie.
    assert len({encode(value, max_items=1000)[:1] for value in made}) > 15


@pytest.mark.parametrize("cut", [0, 1, 5, 60])
def test_cut_bytes_are_refused(cut: int) -> None:
    content = encode([built(bytes(range(100))), {"a": (1.5, "b" * 100)}])
    with pytest.raises(DecodeError):
        decode(content[: -1 - cut])
