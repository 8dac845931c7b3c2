"""Fuzzing of the codec from the hostile side: `python tests/grade/fuzz_codec.py [seconds]`.

With atheris installed it is guided by coverage (further arguments go to libFuzzer); otherwise
random and mutated bytes do. `test_codec.py` makes a short run of the latter, always the same.
"""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

from trueval.grade.sandbox.codec import DecodeError, decode, encode

SEEDS: tuple[Any, ...] = (
    *(None, True, 5, -1, 1 << 70, 1.5, 1j, "text", "\ud800", b"bytes", bytearray(b"b"), ..., int),
    *([1, 2], [1.0], ["a", "bc"], [1, "a", None], (), ((),), {1, 2}, frozenset({"a"})),
    *({"a": [1], (1, 2): {}}, {"k": 1}.keys(), {"k": 1}.values(), {"k": 1}.items()),
    *(deque([1], 3), range(3), slice(1, None), Decimal("1.5"), Fraction(1, 3), object(), iter([1])),
)


def check(data: bytes) -> None:
    """Decode hostile bytes. Whatever comes out must go through the codec once more."""
    try:
        value = decode(data)
    except DecodeError:
        return
    again = encode(value)
    if again[:1] not in b"oX":
        decode(again)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with a few bytes changed, cut, repeated or put elsewhere."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(5):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del content[at : at + rng.randint(1, 8)]
            case 2:
                content[at:at] = content[rng.randrange(len(content) + 1) :][: rng.randint(1, 16)]
            case 3:
                content[at:at] = rng.choice(ENCODED)
            case _:
                content[at : at + 4] = rng.choice((b"\xff" * 4, b"\0\0\0\x80", b"\0\0\1\0"))
    return bytes(content)


ENCODED = [encode(seed) for seed in SEEDS]


def run(rounds: int, seed: int = 0, seconds: float = float("inf")) -> int:
    """Try so many inputs; how many there were."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    for done in range(rounds):
        if done % 1000 == 0 and time.monotonic() > end:
            return done
        check(
            rng.randbytes(rng.randrange(40)) if done % 8 == 0 else mutated(rng.choice(ENCODED), rng)
        )
    return rounds


def main() -> None:
    """Fuzz for so many seconds, 30 if not told."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    try:
        from importlib import import_module

        atheris = import_module("atheris")  # not for every machine, and without types
    except ImportError:
        print(f"no atheris: {run(sys.maxsize, time.time_ns(), seconds)} random inputs, all fine")
        return
    # Imported before: only now can their branches be counted.
    for function in (check, decode):
        atheris.instrument_func(function)
    from trueval.grade.sandbox import codec_decode

    for name, thing in vars(codec_decode.Decoder).items():
        if callable(thing):
            setattr(codec_decode.Decoder, name, atheris.instrument_func(thing))
    for tag, reader in codec_decode._READ.items():
        if hasattr(reader, "__code__"):
            codec_decode._READ[tag] = atheris.instrument_func(reader)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=2048", "-timeout=5"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
