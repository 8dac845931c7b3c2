"""What a recipe's values may be: types by the classes' annotations, ranges by one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from trueval.errors import ConfigError, did_you_mean

_COUNT, _SIZE, _SHARE = (0, 2**40), (1, 2**24), (0.0, 1.0)
_BELOW_ONE = (0.0, 0.999_999)
RANGES: Mapping[str, tuple[float, float]] = {
    # Recipe
    "pass_tokens": (32, 2**24),
    "cuda_pass_tokens": (32, 2**24),
    "batch_tokens": (32, 2**32),
    "steps": (1, 2**40),
    "seed": _COUNT,
    "evaluate_every": _SHARE,
    "evaluate_lines": _COUNT,
    "patience": _COUNT,
    # Shape
    "vocabulary": _SIZE,
    "hidden": _SIZE,
    "layers": _SIZE,
    "heads": _SIZE,
    "kv_heads": _SIZE,
    "mlp": _SIZE,
    "context": (32, 2**24),
    "theta": (1.0, 1e12),
    "eps": (1e-12, 0.1),
    # Mixture
    "spans": _SHARE,
    "whole": _SHARE,
    "sub_line": _SHARE,
    "lines": _SIZE,
    "gap_every": _SIZE,
    "docstrings": (0.0, 1e3),
    "ends": _SHARE,
    "edits": _SHARE,
    "cap": (1.0, 1e6),
    # Optimiser
    "rate": (0.0, 10.0),
    "rest_rate": (0.0, 10.0),
    "decay": (0.0, 10.0),
    "momentum": _BELOW_ONE,
    "betas": _BELOW_ONE,
    "clip": (0.0, 1e9),
    "warm_up": _SHARE,
    "anneal": _SHARE,
}
"""Name of a number in a recipe -> its least and its greatest value."""


def made(kind: Any, found: Any, where: str) -> Any:
    """The dataclass `kind` of a mapping of keys to values, and all that it is made of.

    Raises `ConfigError` for an unknown or a missing key, and for a value that means nothing.
    """
    if not isinstance(found, Mapping):
        raise ConfigError(f"{where}: {found!r} is no mapping of keys to values")
    known = {each.name: each for each in fields(kind)}
    for key in found:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}", hint=did_you_mean(str(key), known))
    for name, each in known.items():
        if name not in found and each.default is MISSING and each.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing", hint=f"write: `{name}: ...`")
    hints = get_type_hints(kind)
    return kind(**{key: _value(key, hints[key], value, where) for key, value in found.items()})


def _value(key: str, hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        return made(hint, value, f"{where}: {key}")
    if get_origin(hint) is Literal:
        if value not in (known := get_args(hint)):
            raise ConfigError(f"{where}: unknown {key} {value!r}", hint=" or ".join(known))
        return value
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, list | tuple) or len(value) != len(inner):
            raise ConfigError(f"{where}: {key} is a list of {len(inner)} numbers, not {value!r}")
        return tuple(_number(key, *pair, where) for pair in zip(inner, value, strict=True))
    if hint is str:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {key} is text, not {value!r}", hint=f'{key}: "{value}"')
        return value
    return _number(key, hint, value, where)


def _number(key: str, hint: type, value: Any, where: str) -> float:
    kind = "a whole number" if hint is int else "a number"
    try:
        # YAML 1.1 reads 1e-3 as text; true and false are numbers to Python only.
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number) or (hint is int and not number.is_integer()):
        raise ConfigError(f"{where}: {key} is {kind}, not {value!r}")
    low, high = RANGES[key]
    if not low <= number <= high:
        raise ConfigError(f"{where}: {key} is from {low:g} to {high:g}, not {value!r}")
    if hint is int:
        return value if isinstance(value, int) else int(number)
    return number
