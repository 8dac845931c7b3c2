"""The code of the modules that run in workers, for processes that are not to compile it."""

from __future__ import annotations

import functools
import marshal
import os
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from trueval.grade.sandbox.wire import packed

FOLDER = Path(__file__).parent
BOOT = FOLDER / "boot.py"


def first_frames(settings: dict[str, Any]) -> bytes:
    """What a worker begins with: how it imports, its settings, and all that it may import."""
    places, parts, end = {}, [], 0
    for path in sorted(FOLDER.glob("*.py")):
        # Copies and editors leave files such as `._wire.py` and `.#wire.py` behind.
        if path != BOOT and path.stem.isidentifier():
            name = f"{__package__}.{path.stem}"
            code = _code(name, path)
            places[name] = (end, end + len(code))
            parts.append(code)
            end += len(code)
    head = packed(marshal.dumps((settings, places)))
    return packed(_code("sent", FOLDER / "sent.py")) + packed(b"".join((head, *parts)))


@functools.cache
def _code(name: str, path: Path) -> bytes:
    """Python's byte code where that is there and up to date; else it is compiled, once for all."""
    return marshal.dumps(SourceFileLoader(name, os.fspath(path)).get_code(name))
