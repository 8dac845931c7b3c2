"""Which files a candidate may open: Landlock, a ruleset that is made once and entered by each."""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH118, PTH208

from __future__ import annotations

import ctypes
import os
import stat

from trueval.grade.sandbox.syscalls import O_PATH, call

READ_FILE, READ_DIR, WRITE_FILE = 1 << 2, 1 << 3, 1 << 1
READ = READ_FILE | READ_DIR
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_ON_FILES = 1 | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL
# Everything in a folder but devices, sockets and FIFOs; no execution either.
WRITE = READ | WRITE_FILE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | _TRUNCATE
_RIGHTS_BY_ABI = (0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
_RULE_PATH_BENEATH = 1


class _Attributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("fd", ctypes.c_int32))


def abi() -> int:
    """The version of Landlock that the kernel has. Raises `OSError` where it has none."""
    return call("landlock_create_ruleset", 0, 0, 1)


class Ruleset:
    """Opens nothing but what was allowed. Made once; entering it takes a few microseconds."""

    def __init__(self) -> None:
        self.abi = abi()
        self._handled = _RIGHTS_BY_ABI[min(self.abi, len(_RIGHTS_BY_ABI) - 1)]
        # No TCP to bind or connect, no abstract sockets of others, no signals to others.
        attributes = _Attributes(
            self._handled, 3 if self.abi >= 4 else 0, 3 if self.abi >= 6 else 0
        )
        size = 24 if self.abi >= 6 else 16 if self.abi >= 4 else 8
        self.fd = call("landlock_create_ruleset", ctypes.addressof(attributes), size, 0)
        self.rules = 0

    def allow(self, path: str, access: int) -> None:
        """Allow `access` to `path` and all beneath it. A path that is not there is skipped."""
        try:
            fd = os.open(path, O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                access &= _ON_FILES
            rule = _PathBeneath(access & self._handled, fd)
            place = ctypes.addressof(rule)
            call("landlock_add_rule", self.fd, _RULE_PATH_BENEATH, place, 0)
            self.rules += 1
        finally:
            os.close(fd)

    def allow_around(self, folder: str, hidden: tuple[str, ...]) -> None:
        """Allow reading `folder`, without the contents of its entries called `hidden`.

        Rules only ever add: what is to stay shut must be left out, entry by entry.
        """
        try:
            entries = os.listdir(folder)
        except OSError:
            return
        if not any(name in entries for name in hidden):
            self.allow(folder, READ)
            return
        self.allow(folder, READ_DIR)
        for name in entries:
            if name not in hidden:
                self.allow(os.path.join(folder, name), READ)
