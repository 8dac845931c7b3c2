"""Where trueval keeps what it fetched or worked out once, and what it came with."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$TRUEVAL_CACHE`, else `trueval` in the user's cache folder. It need not exist yet."""
    if chosen := os.environ.get("TRUEVAL_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "trueval"


def shipped_model(name: str) -> Path:
    """The folder of a checkpoint that came with trueval; there is none of other names."""
    return Path(__file__).parent / "shipped" / name
