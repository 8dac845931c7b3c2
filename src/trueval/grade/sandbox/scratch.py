"""The folder that samples may write to: one a worker, empty for each sample."""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH101, PTH102, PTH106, PTH108, PTH113, PTH114, PTH118

from __future__ import annotations

import os


def wiped(folder: str, uid: int | None) -> None:
    """Make `folder` exist, empty, and owned by `uid`."""
    try:
        with os.scandir(folder) as entries:
            dirty = any(True for _ in entries)
    except OSError:
        dirty = True
    if not dirty:
        return
    removed(folder)
    os.mkdir(folder, 0o700)
    if uid is not None:
        os.chown(folder, uid, uid)


def removed(folder: str) -> None:
    """Remove `folder` with all that is in it, whatever modes a sample gave it."""
    # Not shutil: importing it doubles the modules that every fork has to carry.
    if os.path.islink(folder) or os.path.isfile(folder):
        os.unlink(folder)
        return
    if not os.path.lexists(folder):
        return
    os.chmod(folder, 0o700)
    for root, folders, files in os.walk(folder):
        for name in files:
            os.unlink(os.path.join(root, name))
        for name in folders:
            path = os.path.join(root, name)
            if os.path.islink(path):
                os.unlink(path)
            else:
                os.chmod(path, 0o700)
    for root, _, _ in os.walk(folder, topdown=False):
        os.rmdir(root)
