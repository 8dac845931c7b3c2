"""What a worker imports our modules from: their code, which came with the settings.

Run by `boot.py` before anything else of ours. Empty stand-ins take the place of the packages above,
so that importing them runs none of their `__init__` files: a process stays small, and what is small
forks fast.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Sent:
    """Imports modules from code that was sent."""

    def __init__(self, places: dict[str, tuple[int, int]], code: memoryview, folder: str) -> None:
        """`places`: where in `code` each module's is, by marshal. `folder`: that of their sources.

        In one piece, which leaves no holes behind in memory.
        """
        self._places, self._code, self._folder = places, code, folder

    def forget(self) -> None:
        """Have no more to import."""
        self._places, self._code = {}, memoryview(b"")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        """The spec of a module that was sent; None for any other."""
        if name not in self._places:
            return None
        spec = ModuleSpec(name, self, origin=f"{self._folder}/{name.rpartition('.')[2]}.py")  # type: ignore[arg-type]
        spec.has_location = True  # known by its file, as if it came from there
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """As always."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        start, end = self._places[module.__name__]
        exec(marshal.loads(self._code[start:end]), vars(module))


def begin(sandbox: str) -> None:
    """Read settings and code, and serve."""
    grade = sandbox.rpartition("/")[0]
    for name, folder in (
        ("trueval", grade.rpartition("/")[0]),
        ("trueval.grade", grade),
        ("trueval.grade.sandbox", sandbox),
    ):
        package = type(sys)(name)
        package.__path__ = [folder]
        sys.modules[name] = package
    (settings, places), code = _first_frame()
    sent = Sent(places, code, sandbox)
    del code
    sys.meta_path.insert(0, sent)

    from trueval.grade.sandbox.start import main

    main(settings, sent)


def _first_frame() -> tuple[Any, memoryview]:
    """Its head, which is by marshal, and what comes after that."""
    frame = memoryview(bytearray(int.from_bytes(os.read(0, 4), "big")))
    read = 0
    while read < len(frame) and (part := os.readv(0, [frame[read:]])):
        read += part
    end = 4 + int.from_bytes(frame[:4], "big")
    return marshal.loads(frame[4:end]), frame[end:]


if __name__ == "sent":
    begin(__file__.rpartition("/")[0])
