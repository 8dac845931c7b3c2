"""A machine of its own for the zygote: namespaces, and a root that holds little and is read-only.

The new root is empty but for what candidates may read, bound at its own place: what is not there
cannot be opened, whatever the other mechanisms miss. Needs mount_setattr (Linux 5.12).
"""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH103, PTH110, PTH112, PTH114, PTH115, PTH120
# ruff: noqa: PTH123, PTH211

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
from _socket import sethostname

from trueval.grade.sandbox.syscalls import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    call,
    call_with,
    prepared,
    raw,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
_SIGCHLD = 17  # what a parent gets
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_MS_REC, _MS_SLAVE, _MNT_DETACH = 0x4000, 1 << 19, 2
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC, _MOVE_MOUNT_F_EMPTY_PATH = 1, 0o2000000, 4

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SCRATCH = "/tmp"
OTHER_SCRATCH = "/scratch"
"""Where a virtual environment lies in `/tmp`: mounted over it, the scratch would hide it."""
"""Where the scratch is in the new root: what names no folder writes here."""


class Attributes(ctypes.Structure):
    """`struct mount_attr`."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def unshare(uids: tuple[int, ...]) -> int:
    """Move into new namespaces, with the first of `uids` that can be mapped; that one.

    The pid namespace is that of the next fork. With no `uids`, and for who may not map users,
    only the own user exists inside.
    """
    uid, gid = os.geteuid(), os.getegid()
    everything = NEWUSER | NEWNS | NEWNET | NEWIPC | NEWUTS | NEWPID
    if not uids:
        call("unshare", everything)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
        return uid
    # Once inside, nobody may map more than one user: a helper stays outside to do it.
    ask_r, ask_w = os.pipe()
    own_pid = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.close(ask_w)
        os._exit(_mapped(own_pid, (uid, gid), uids) if os.read(ask_r, 1) else 255)
    os.close(ask_r)
    try:
        call("unshare", everything)
        os.write(ask_w, b".")
    finally:
        os.close(ask_w)
        place = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    if not 0 <= place < len(uids):
        raise OSError(1, "user namespace: no user id for candidates can be mapped")
    return uids[place]


def _mapped(pid: int, own: tuple[int, int], uids: tuple[int, ...]) -> int:
    """The place in `uids` of the one that was mapped, 255 for none."""
    for place, uid in enumerate(uids):
        with contextlib.suppress(OSError):
            _write(f"/proc/{pid}/uid_map", f"{own[0]} {own[0]} 1\n{uid} {uid} 1")
            _write(f"/proc/{pid}/gid_map", f"{own[1]} {own[1]} 1\n{uid} {uid} 1")
            return place
    return 255


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def fork_into_another() -> Callable[[], int]:
    """A fork whose child is the first process of a pid namespace of its own; negative if it fails.

    When that first process is killed, the kernel kills whatever else is in there, however it was
    started and wherever it moved to. For a process that is the first of its own and has one
    thread: the C library does not hear of this fork, and takes the child's number for its parent's,
    which is 1 as well.
    """
    return functools.partial(raw, *prepared("clone", NEWPID | _SIGCHLD))


class Root:
    """The new root. Add what it shows, then `enter` it."""

    def __init__(self) -> None:
        self._trees: dict[str, int] = {}
        self._hidden: list[str] = []
        self._links: list[tuple[str, str]] = []
        self.scratch = SCRATCH
        """The folder that candidates may write. Known for sure once entered."""
        _mount("none", "/", "", _MS_REC | _MS_SLAVE)

    def show(self, path: str, *, device: bool = False) -> None:
        """Show a file or folder of the host at its own place, read-only. Missing: skipped."""
        path = os.path.normpath(path)
        if path in self._trees or not os.path.exists(path):
            return
        if os.path.islink(path):
            self._links.append((path, os.readlink(path)))
            path = os.path.realpath(path)
        is_shown = any(path == shown or path.startswith(shown + "/") for shown in self._trees)
        if is_shown and not any(path.startswith(hidden + "/") for hidden in self._hidden):
            return
        flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | AT_RECURSIVE
        tree = call_with("open_tree", AT_FDCWD, path, flags)
        _restrict(tree, _RDONLY | _NOSUID | (0 if device else _NODEV))
        self._trees[path] = tree

    def hide(self, folder: str) -> None:
        """Show an empty folder in this one's place."""
        if os.path.isdir(folder):
            self._hidden.append(folder)

    def enter(self, scratch_options: str) -> str:
        """Make it the root of this process; how `/proc` is restricted, or empty without one.

        Call in the first process of the pid namespace.
        """
        for device in _DEVICES:
            self.show(device, device=True)
        base = "/tmp"  # any folder will do: what lies beneath is held open already
        _mount("tmpfs", base, "tmpfs", _NOSUID | _NODEV, "size=1m,nr_inodes=4096,mode=0755")
        if any(path.startswith(SCRATCH + "/") for path in (*self._trees, *self._hidden)):
            self.scratch = OTHER_SCRATCH
        self._build(base)
        links = [(folder, self.scratch) for folder in ("/var/tmp", "/dev/shm")]
        for path, target in (*self._links, *links, ("/dev/fd", "/proc/self/fd")):
            _make_folder(os.path.dirname(base + path))
            with contextlib.suppress(FileExistsError):
                os.symlink(target, base + path)
        for folder in ("/proc", self.scratch):
            _make_folder(base + folder)
        proc = _mount_proc(base + "/proc")
        os.chdir(base)
        call_with("pivot_root", ".", ".")
        call_with("umount2", ".", _MNT_DETACH)
        os.chdir("/")
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _restrict(root, _RDONLY)
        os.close(root)
        _mount("tmpfs", self.scratch, "tmpfs", _NOSUID | _NODEV | _NOEXEC, scratch_options)
        sethostname("sandbox")
        return proc

    def _build(self, base: str) -> None:
        places = [(path, tree) for path, tree in self._trees.items()]
        places += [(path, -1) for path in self._hidden]
        # What lies deeper is put on top of what it lies in.
        for path, tree in sorted(places, key=lambda place: place[0].count("/")):
            target = base + path
            if tree < 0:
                _mount("tmpfs", target, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=0755")
                continue
            if stat.S_ISDIR(os.fstat(tree).st_mode):
                _make_folder(target)
            else:
                _make_folder(os.path.dirname(target))
                with contextlib.suppress(FileExistsError):
                    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            call_with("move_mount", tree, "", AT_FDCWD, target, _MOVE_MOUNT_F_EMPTY_PATH)
            os.close(tree)


def _make_folder(path: str) -> None:
    os.makedirs(path, 0o755, exist_ok=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    call_with("mount", source, target, kind, flags, options)


def _restrict(fd: int, flags: int) -> None:
    """Set mount flags on all of a mounted tree."""
    attributes = Attributes(flags, 0, 0, 0)
    where = AT_EMPTY_PATH | AT_RECURSIVE
    call_with("mount_setattr", fd, "", where, ctypes.addressof(attributes), 32)


def _mount_proc(target: str) -> str:
    for options in ("hidepid=invisible,subset=pid", "hidepid=2"):
        with contextlib.suppress(OSError):
            _mount("proc", target, "proc", _RDONLY | _NOSUID | _NODEV | _NOEXEC, options)
            return options
    return ""
