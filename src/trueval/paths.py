"""Where trueval keeps what it fetched or worked out once."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$TRUEVAL_CACHE`, else `trueval` in the user's cache folder. It need not exist yet."""
    if chosen := os.environ.get("TRUEVAL_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "trueval"
