"""Empties the scratch folder after a candidate, whatever it left there."""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH208

from __future__ import annotations

import ctypes
import os
import stat

from trueval.grade.sandbox import syscalls

_STATX_BYTES, _STATX_MODE, _MODE_AT = 256, 0x2, 28 // 2
_AT_EMPTY_PATH = 0x1000
_NAMES_BYTES = 1024
_EMPTY = ctypes.create_string_buffer(b"")


class Scratch:
    """The scratch folder, as it is when nobody has used it."""

    def __init__(self, fd: int) -> None:
        """`fd`: the folder, open and empty."""
        self.fd = fd
        self._looks: tuple[tuple[int, ...], ...] = ()
        if syscalls.NR:
            # It is asked after each candidate, and so without making objects of the answers.
            self._names = (ctypes.c_char * _NAMES_BYTES)()
            self._facts = (ctypes.c_uint16 * (_STATX_BYTES // 2))()
            names, facts = ctypes.addressof(self._names), ctypes.addressof(self._facts)
            empty = ctypes.addressof(_EMPTY)
            self._looks = (
                syscalls.prepared("statx", fd, empty, _AT_EMPTY_PATH, _STATX_MODE, facts),
                syscalls.prepared("lseek", fd, 0, 0),
                syscalls.prepared("getdents64", fd, names, _NAMES_BYTES),
            )
            wipe(fd)
            self._clean = self._look()
            if min(self._clean) <= 0:  # a kernel that does not answer
                self._looks = ()

    def is_dirty(self) -> bool:
        """Whether it holds anything, or was given other modes."""
        if self._looks:
            return self._look() != self._clean
        os.lseek(self.fd, 0, 0)
        return stat.S_IMODE(os.fstat(self.fd).st_mode) != 0o777 or bool(os.listdir(self.fd))

    def _look(self) -> tuple[int, int]:
        """Its mode, and how many bytes its list of names has."""
        status, rewind, list_ = self._looks
        syscalls.raw(*status)
        syscalls.raw(*rewind)
        return self._facts[_MODE_AT], syscalls.raw(*list_)


def wipe(folder: int) -> None:
    """Empty the folder. Names of any bytes, any modes, and any depth: time is linear in files.

    No path is ever walked: what lies in a folder is moved up to the top before the folder goes,
    so neither the longest path nor the count of open files is a limit.
    """
    os.fchmod(folder, 0o777)
    moved = 0
    while entries := _entries(folder):
        for name in entries:
            if not _is_folder(folder, name):
                os.unlink(name, dir_fd=folder)
                continue
            moved = _flatten(folder, name, moved)
            os.rmdir(name, dir_fd=folder)


def _flatten(folder: int, name: bytes, moved: int) -> int:
    """Move all that is in the folder `name` up to the top, under names that are free."""
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        os.chmod(name, 0o700, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            for entry in _entries(inner):
                if _is_folder(inner, entry):
                    # Moving a folder needs the right to write to it.
                    os.chmod(entry, 0o700, dir_fd=inner)
                    moved = _free_number(folder, moved)
                    os.rename(entry, b".%d" % moved, src_dir_fd=inner, dst_dir_fd=folder)
                else:
                    os.unlink(entry, dir_fd=inner)
        finally:
            os.close(inner)
    else:
        os.mkdir(name, dir_fd=folder)
    return moved


def _free_number(folder: int, number: int) -> int:
    while True:
        number += 1
        try:
            os.stat(b".%d" % number, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return number


def _entries(folder: int) -> list[bytes]:
    os.lseek(folder, 0, 0)
    return [os.fsencode(name) for name in os.listdir(folder)]


def _is_folder(folder: int, name: bytes) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
