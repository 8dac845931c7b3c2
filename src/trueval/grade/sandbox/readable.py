"""What candidates may read: the standard library, shared libraries, the packages they may use."""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH110, PTH112, PTH118, PTH119, PTH120

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from trueval.grade.sandbox import landlock

if TYPE_CHECKING:
    from collections.abc import Iterable

LIBRARIES = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"),
    *("/nix/store", "/gnu/store", "/etc/ld.so.cache"),
)
OTHER = ("/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale", "/etc/mime.types")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_OTHERS_PACKAGES = ("site-packages", "dist-packages")


class Readable:
    """Folders of the standard library and of the packages, found from where Python runs."""

    def __init__(self, packages: dict[str, str], folders: Iterable[str]) -> None:
        self._stdlib = os.path.dirname(os.__file__)
        self._packages, self._folders = packages, tuple(folders)

    def paths(self) -> list[str]:
        """Folders to show in a root of its own."""
        folders = [self._stdlib, *self._shared_libraries(), *self._folders]
        return [*folders, *self._of_packages()]

    def hidden(self) -> list[str]:
        """Folders to keep empty: what happens to be installed may hold answers."""
        places = [os.path.join(self._stdlib, name) for name in _OTHERS_PACKAGES]
        # Debian's lie beside the library, and not within it.
        beside = os.path.join(os.path.dirname(self._stdlib), "python3", "dist-packages")
        return [place for place in (*places, beside) if os.path.isdir(place)]

    def ruleset(self, scratch: str, own_root: bool) -> landlock.Ruleset:
        """The Landlock rules. `own_root`: what is hidden is hidden already, so fewer will do."""
        rules = landlock.Ruleset()
        shown = [self._stdlib, *LIBRARIES, *self._shared_libraries()]
        for path in _without_nested(shown) if own_root else ():
            rules.allow(path, landlock.READ)
        for path in () if own_root else _without_nested([*LIBRARIES, *self._shared_libraries()]):
            rules.allow_around(path, (os.path.basename(self._stdlib), "python3"))
        if not own_root:
            rules.allow_around(self._stdlib, _OTHERS_PACKAGES)
        for path in (*OTHER, *self._folders, *self._of_packages()):
            rules.allow(path, landlock.READ)
        for folder in set(self._packages.values()):
            rules.allow(folder, landlock.READ_DIR)  # the names in it: imports look for theirs
        for path in DEVICES:
            rules.allow(path, landlock.READ_FILE | landlock.WRITE_FILE)
        if own_root:
            rules.allow("/proc", landlock.READ)  # shows a candidate itself, and no other
        rules.allow(scratch, landlock.WRITE)
        return rules

    def _of_packages(self) -> list[str]:
        found = []
        for name, folder in self._packages.items():
            for entry in (name, f"{name}.libs", f"{name}.py"):
                path = os.path.join(folder, entry)
                if os.path.exists(path):
                    found.append(path)
        return found

    def _shared_libraries(self) -> list[str]:
        """Where the interpreter's own extensions and shared library are."""
        name = f"libpython{sys.version_info[0]}.{sys.version_info[1]}.so.1.0"
        folder = os.path.join(sys.base_prefix, sys.platlibdir)
        places = [os.path.join(folder, name), os.path.join(folder, "libpython3.so")]
        places.append(os.path.join(self._stdlib, "lib-dynload"))
        return [path for path in places if os.path.exists(path)]


def _without_nested(paths: Iterable[str]) -> list[str]:
    """The paths that lie in no other of them, links resolved."""
    real = sorted({os.path.realpath(path) for path in paths if os.path.exists(path)})
    kept: list[str] = []
    for path in real:
        if not kept or not path.startswith(kept[-1] + "/"):
            kept.append(path)
    return kept
