"""Fuzzing of the codec: `python tests/grade/fuzz_codec.py [--seconds 60] [--side decode]`.

`decode`: hostile bytes on the checker's side; what comes out goes through the codec again.
`encode`: hostile values on the candidate's side, made from bytes; what comes out must decode.

With atheris installed it is guided by coverage (further arguments go to libFuzzer); otherwise
random and mutated bytes do. `test_fuzz.py` makes short runs of the latter, always the same.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.grade.hostile_values import built
from trueval.grade.sandbox import codec_common, codec_decode, codec_encode, codec_writers
from trueval.grade.sandbox.codec import DecodeError, changed, decode, encode, snapshot

SEEDS: tuple[Any, ...] = (
    *(None, True, 5, -1, 1 << 70, 1.5, 1j, "text", "\ud800", b"bytes", bytearray(b"b"), ..., int),
    *([1, 2], [1.0], ["a", "bc"], [1, "a", None], (), ((),), {1, 2}, frozenset({"a"})),
    *({"a": [1], (1, 2): {}}, {"k": 1}.keys(), {"k": 1}.values(), {"k": 1}.items()),
    *(deque([1], 3), range(3), slice(1, None), Decimal("1.5"), Fraction(1, 3), object(), iter([1])),
)
SLOW_S = 10.0
"""Of CPU time, for one value: a limit of the codec's is then no limit."""


def check(data: bytes) -> None:
    """Decode hostile bytes. Whatever comes out must go through the codec once more."""
    try:
        value = decode(data)
    except DecodeError:
        return
    _check_round_trip(value)


def _check_round_trip(value: Any) -> None:
    """What has arrived is plain: sent on, it arrives as the same."""
    content = encode(value)
    # What is no data changes its name, as it is then one of ours. (Or it is a letter in a text.)
    if codec_common.OPAQUE in content or codec_common.TOO_LARGE in content:
        decode(content)
    else:
        # A set may come in another order.
        assert sorted(encode(decode(content))) == sorted(content)


def check_encode(data: bytes) -> None:
    """Encode a hostile value: as an answer, and as what an argument was changed to."""
    started = time.thread_time()
    # The full limits, now and then: they are what takes time.
    few: dict[str, Any] = {} if data[-1:] > b"\xf0" else {"max_bytes": 100_000, "max_items": 10_000}
    content = encode(built(data), **few)
    assert type(content) is bytes
    assert len(content) <= few.get("max_bytes", codec_common.MAX_BYTES)
    decoded = decode(content)
    if content[:1] not in b"oX":
        _check_round_trip(decoded)
    _check_changed(data)
    assert time.thread_time() - started < SLOW_S


def _check_changed(data: bytes) -> None:
    argument: list[Any] = [1]
    before = snapshot((argument,), {})
    argument[:] = [built(data)]
    after = changed(before, (argument,), {})
    if after is not None:
        assert len(after) <= codec_common.MAX_BYTES
        decode(after)


SIDES: dict[str, Callable[[bytes], None]] = {"decode": check, "encode": check_encode}


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


def run(rounds: int, seed: int = 0, seconds: float = float("inf"), side: str = "decode") -> int:
    """Try so many inputs; how many there were."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    for done in range(rounds):
        if done % 100 == 0 and time.monotonic() > end:
            return done
        if side == "encode":
            data = rng.randbytes(rng.randrange(120))
        elif done % 8 == 0:
            data = rng.randbytes(rng.randrange(40))
        else:
            data = mutated(rng.choice(ENCODED), rng)
        try:
            SIDES[side](data)
        except BaseException:
            print(f"{side}: {data!r}", file=sys.stderr)
            raise
    return rounds


def instrument(atheris: Any) -> None:
    """Count the branches of the codec, which was imported before that could be asked for."""
    for kind in (codec_decode.Decoder, codec_encode.Encoder):
        for name, thing in vars(kind).items():
            if hasattr(thing, "__code__"):
                setattr(kind, name, atheris.instrument_func(thing))
    tables: tuple[dict[Any, Any], ...] = (
        *(codec_decode._READ, codec_writers.EXACT, codec_writers._BY_BASE, codec_encode._PACKED),
    )
    for table in tables:
        for key, function in table.items():
            if hasattr(function, "__code__"):
                table[key] = atheris.instrument_func(function)
    for module in (codec_decode, codec_encode, codec_writers):
        for name, thing in vars(module).copy().items():
            if hasattr(thing, "__code__"):
                setattr(module, name, atheris.instrument_func(thing))


def main() -> None:
    """Fuzz one side for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--side", choices=[*SIDES], default="decode")
    options, more = parser.parse_known_args()
    try:
        atheris: Any = import_module("atheris")  # not for every machine, and without types
    except ImportError:
        done = run(sys.maxsize, time.time_ns(), options.seconds, options.side)
        print(f"no atheris: {done} random inputs, all fine")
        return
    instrument(atheris)
    size = 4096 if options.side == "decode" else 300
    limits = (f"-max_len={size}", "-len_control=0", "-rss_limit_mb=2048", "-timeout=20")
    arguments = [sys.argv[0], f"-max_total_time={options.seconds}", *limits, *more]
    atheris.Setup(arguments, SIDES[options.side])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
