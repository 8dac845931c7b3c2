"""Empties the scratch folder after a candidate, whatever it left there."""

# Workers stay small, and pathlib is not.

from __future__ import annotations

import os
import stat


def is_dirty(folder: int) -> bool:
    """Whether the folder, an open descriptor, holds anything or was given other modes."""
    if stat.S_IMODE(os.fstat(folder).st_mode) != 0o777:
        return True
    os.lseek(folder, 0, 0)
    return bool(os.listdir(folder))


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
