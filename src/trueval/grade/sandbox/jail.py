"""What separates candidates from the machine, entered once by a zygote and again by each child.

Three levels. `full`: namespaces and a root of its own, users, limits, Landlock, seccomp.
`filtered`: the same without namespaces, where those are refused, as in default containers.
`bare`: users, process groups and limits alone, for systems that are not Linux.
"""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH101, PTH103, PTH116, PTH120, PTH208

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
from typing import TYPE_CHECKING

from trueval.grade.sandbox import landlock, limits, namespaces, seccomp, syscalls, wipe
from trueval.grade.sandbox.entry import SIGKILL, Entry
from trueval.grade.sandbox.readable import LIBRARIES, OTHER, Readable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

LEVELS = ("full", "filtered", "bare")
_ON = "on"
_SEPARATOR = "\n"


class Jail:
    """What separates candidates from the machine. One a zygote."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: level (or auto), memory_mb, timeout_s, background, scratch, packages, read.

        Nothing is changed before `become_zygote`.
        """
        self._settings = settings
        self.level: str = settings.get("level", "auto")
        """What is in force: known for certain once `become_zygote` has returned."""
        self.scratch: str = settings["scratch"]
        """Where candidates write. At level full that is `/tmp`, whatever was asked for."""
        self.uid: int | None = None
        """The user that candidates run as, when that is not ours."""
        self._kept_capabilities = 0  # only ever: to read
        self._readable = Readable(settings.get("packages", {}), settings.get("read", ()))
        self._mechanisms: dict[str, str] = {}
        self._has_namespaces = False
        self._ruleset: landlock.Ruleset | None = None
        self._filter: seccomp.Filter | None = None
        self._entry: Entry | None = None
        self._scratch: wipe.Scratch | None = None
        self._parent_fd = self._null = -1
        self._limits: list[tuple[int, tuple[int, int]]] = []

    def become_zygote(self, keep_fds: tuple[int, ...]) -> None:
        """Enter the jail's outer half. Closes every descriptor but `keep_fds`.

        At level full the caller goes on in another process, the first of a pid namespace; the
        one that called waits for it, and each ends with the other. Raises `OSError` when the
        level that was asked for is not possible here.
        """
        if self.level == "auto":
            self.level = self._best()
        if self.level not in LEVELS:
            raise ValueError(f"no such level: {self.level!r}")
        self._close_others(keep_fds)
        if syscalls.NR:
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
            if self.level == "full":
                self._enter_namespaces()
            else:
                syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self._choose_user()
        self._prepare()
        if syscalls.NR:
            # No process of our user may look into us, and none may become more than it is.
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
            with contextlib.suppress(OSError):
                syscalls.drop_bounding_set()
                self._mechanisms["capabilities"] = _ON
            if self._parent_fd >= 0:
                # Last: a change of users takes it back.
                _end_with_the_parent(self._parent_fd)
            self._entry = self._prepared_entry()
            self._entry.rehearse()
            if self._filter is not None:
                seccomp.Filter(seccomp.program_of_zygote()).install()

    def fork(self) -> Callable[[], int]:
        """What forks a candidate, once `become_zygote` has returned; negative when it fails."""
        return namespaces.fork_into_another() if self._has_namespaces else syscalls.fork

    def enter(self, keep_fd: int, *, alone: bool) -> int:
        """Shut this process, a candidate's, off from the rest. There is no way back.

        Of its descriptors only `keep_fd` stays, which must be a stream socket or a pipe, and the
        result is where; 0, 1 and 2 are the null device. `alone`: run on a par with the rest of the
        machine.
        """
        return self.way_in()(keep_fd, alone=alone)

    def way_in(self) -> Callable[..., int]:
        """What `enter` does: looked up before a fork, its looking up is not each child's."""
        return self._enter_elsewhere if self._entry is None else self._entry.enter

    def _enter_elsewhere(self, keep_fd: int, *, alone: bool) -> int:
        os.setsid()
        if self._settings.get("background") and not alone:
            limits.stand_back()
        for kind, pair in self._limits:
            resource.setrlimit(kind, pair)
        if self.uid is not None:
            os.setgid(self.uid)
            os.setuid(self.uid)
        syscalls.close_all_but(keep_fd)
        return keep_fd

    def after(self) -> None:
        """Call in the zygote after a candidate's end: what it left in the scratch goes."""
        if self._scratch is not None and self._scratch.is_dirty():
            wipe.wipe(self._scratch.fd)

    def describe(self) -> dict[str, Any]:
        """The level, and each mechanism with `on` or the reason why it is off."""
        return {"level": self.level, "scratch": self.scratch, "mechanisms": dict(self._mechanisms)}

    def _best(self) -> str:
        reasons = []
        for level in LEVELS[:2]:
            reason, _ = trial({**self._settings, "level": level})
            if not reason:
                return level
            reasons.append(f"{level}: {reason}")
        raise OSError(1, f"{'; '.join(reasons)}; level bare must be asked for")

    def _close_others(self, keep_fds: tuple[int, ...]) -> None:
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in (0, 1, 2):
            if fd not in keep_fds:
                os.dup2(self._null, fd)
        syscalls.close_all_but(self._null, *keep_fds)

    def _enter_namespaces(self) -> None:
        uids = _uids() if os.geteuid() == 0 else ()
        uid = namespaces.unshare(uids)
        self.uid = uid if uids else None
        self._parent_fd = _go_on_inside()
        self._has_namespaces = True
        root = namespaces.Root()
        for path in self._readable.hidden():
            root.hide(path)
        for path in (*LIBRARIES, *OTHER, *self._readable.paths(), os.path.dirname(__file__)):
            root.show(path)
        size = self._settings.get("scratch_mb", 16)
        proc = root.enter(f"size={size}m,nr_inodes=4096,mode=0777")
        self.scratch = root.scratch
        for name in ("TMPDIR", "HOME"):
            if name in os.environ:
                os.environ[name] = self.scratch
        for name in ("user", "mount", "net", "ipc", "uts", "pid"):
            self._mechanisms[f"{name} namespace"] = _ON
        self._mechanisms["proc"] = proc or "not mounted: parts of the host's are masked"

    def _choose_user(self) -> None:
        if os.geteuid() == 0 and not self._has_namespaces:
            self.uid, self._kept_capabilities = self._user_that_can_read()
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):
                os.setgroups([])
                if self.uid is not None:
                    os.setresgid(self.uid, self.uid, self.uid)  # one thing less for each child
        reason = (
            "its other users cannot read Python" if os.geteuid() == 0 else "only root may switch"
        )
        self._mechanisms["user"] = _ON if self.uid is not None else f"off: {reason}"
        if self._kept_capabilities:
            self._mechanisms["user"] = "on, and may read: Python lies where only root may go"

    def _user_that_can_read(self) -> tuple[int | None, int]:
        """A user nobody else has, and what it must keep to import the standard library."""
        for uid in _uids():
            for keep in (0, syscalls.CAP_DAC_READ_SEARCH) if sys.platform == "linux" else (0,):

                def imports(uid: int = uid, keep: int = keep) -> None:
                    _switch(uid, keep)
                    for folder in self._readable.paths():
                        os.stat(folder)

                if works(imports):
                    return uid, keep
        return None, 0

    def _prepare(self) -> None:
        limits.set_for_all(self._settings["memory_mb"])
        # In a user namespace of its own every user is counted apart from the host's.
        own_user = self.uid is not None or self.level == "full"
        self._limits = limits.of_one(self._settings["timeout_s"], own_user)
        self._mechanisms["limits"] = _ON
        if self.level != "full":
            os.makedirs(self.scratch, 0o700, exist_ok=True)
            os.chmod(self.scratch, 0o777)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._scratch = wipe.Scratch(os.open(self.scratch, flags))
        os.chdir(self.scratch)  # for the children
        if self.level == "bare":
            self._mechanisms["landlock"] = self._mechanisms["seccomp"] = "off: level bare"
            return
        self._filter = seccomp.Filter(seccomp.program_of_candidate())
        self._mechanisms["seccomp"] = _ON
        try:
            self._ruleset = self._readable.ruleset(self.scratch, self.level == "full")
            self._mechanisms["landlock"] = f"on, version {self._ruleset.abi}"
        except OSError as error:
            self._mechanisms["landlock"] = f"off: {error.strerror}"

    def _prepared_entry(self) -> Entry:
        entry = Entry(bool(self._settings.get("background")))
        entry.limit(self._limits)
        if self.uid is not None:
            entry.become(self.uid, self._kept_capabilities)
        elif self.level != "bare":
            entry.drop_capabilities()
        entry.be_readable()
        if self._ruleset is not None:
            entry.restrict_files(self._ruleset)
        if not self._has_namespaces:
            entry.end_with_the_zygote()
        if self._filter is not None:
            entry.restrict_calls(self._filter, first_of_its_namespace=self._has_namespaces)
        entry.close_descriptors()  # last: until here a failure can still be told
        return entry


def trial(settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Why a jail with these settings does not work here (empty: it does), and what it describes.

    Found out by trying, in a fork: call it while there is one thread.
    """
    why_r, why_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(why_r)
            _try(Jail(settings), why_w)
        finally:
            os._exit(1)
    os.close(why_w)
    parts = []
    while part := os.read(why_r, 65536):
        parts.append(part)
    os.close(why_r)
    os.waitpid(pid, 0)
    described, _, said = b"".join(parts).decode("utf-8", "replace").rpartition(_SEPARATOR)
    if said != "works":
        return said or "its process ended", {}
    from ast import literal_eval  # not for the lean processes

    return "", literal_eval(described)


def _try(jail: Jail, why_w: int) -> NoReturn:
    try:
        jail.become_zygote((why_w,))
        os.write(why_w, (repr(jail.describe()) + _SEPARATOR).encode())
        pid = jail.fork()()
        if pid < 0:
            raise syscalls.fork_failed()
        if pid == 0:
            try:
                why_w = jail.enter(why_w, alone=True)
                os.listdir(os.path.dirname(os.__file__))
                os.write(why_w, b"works")
            except BaseException as error:
                os.write(why_w, str(error).encode()[:500])
            os._exit(0)
        os.waitpid(pid, 0)
    except BaseException as error:
        os.write(why_w, (_SEPARATOR + str(error)[:500]).encode())
    os._exit(0)


def works(action: Callable[[], object]) -> bool:
    """Whether `action` works, tried in a throwaway process."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _uids() -> tuple[int, ...]:
    """Users that nobody else has: such a one owns nothing and can signal nobody."""
    # Its RLIMIT_NPROC, which does not bind root, counts its own threads alone. The second is for
    # containers in which few users exist.
    return 1_000_000_000 + os.getpid(), 50_000 + os.getpid() % 10_000


def _switch(uid: int, capabilities: int) -> None:
    """Give up root for good, but for `capabilities`."""
    if capabilities:
        syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    if os.getgid() != uid:
        os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if capabilities:
        syscalls.keep_capabilities(capabilities)


def _go_on_inside() -> int:
    """Fork: the child returns, first in its pid namespace; the parent ends when it does.

    A descriptor that hangs up when the parent ends.
    """
    alive_r, alive_w = os.pipe()
    pid = os.fork()
    if pid:
        try:
            syscalls.close_all_but(alive_w)  # a socket that we held would never be at its end
            for fd in (0, 1, 2):
                os.dup2(alive_w, fd)
            syscalls.keep_capabilities(0)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os._exit(code if code >= 0 else 128 - code)
        finally:
            os._exit(1)
    os.close(alive_w)
    return alive_r


def _end_with_the_parent(alive_r: int) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, SIGKILL)
    poll = select.poll()
    poll.register(alive_r, 0)
    if poll.poll(0):
        os._exit(1)  # the parent ended before that took hold
    os.close(alive_r)
