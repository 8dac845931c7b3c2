"""From one fresh process to two: a zygote that knows nothing, and a checker that gets the tests."""

from __future__ import annotations

import contextlib
import gc
import os
import site
import sys
from _socket import AF_UNIX, SOCK_SEQPACKET, socketpair
from typing import TYPE_CHECKING, Any

from trueval.grade.sandbox import wipe, wire
from trueval.grade.sandbox.hugepages import move_code
from trueval.grade.sandbox.jail import Jail
from trueval.grade.sandbox.rehearsal import rehearse
from trueval.grade.sandbox.zygote import tell_and_serve

if TYPE_CHECKING:
    from trueval.grade.sandbox.sent import Sent

JOBS_FD = 3


def main(settings: dict[str, Any], sent: Sent) -> None:
    """Fork the zygote while there is nothing to know, then serve jobs until their socket closes."""
    os.dup2(0, JOBS_FD)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if settings["core"] is not None:
        with contextlib.suppress(OSError):  # it is not ours any more: then any core will do
            os.sched_setaffinity(0, {settings["core"]})
    move_code()
    _warm_up(settings["packages"])
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(JOBS_FD)
            ours.close()
            _forget_ourselves(sent)
            tell_and_serve(Jail(settings), theirs, settings)
        finally:
            os._exit(1)
    theirs.close()
    try:
        _serve(ours, settings)
    finally:
        ours.close()  # it ends the zygote
        os.waitpid(pid, 0)
        _remove(settings["scratch"].rpartition("/")[0])


def _serve(control: Any, settings: dict[str, Any]) -> None:
    from ast import literal_eval

    from trueval.grade.sandbox.checker import serve
    from trueval.grade.sandbox.session import Zygote

    gc.collect()
    gc.freeze()
    first = control.recv(65536)
    detail = first[1:].decode("utf-8", "replace") or "the zygote ended"
    verdict = "ready" if first[:1] == wire.READY else "failed"
    wire.write_all(JOBS_FD, wire.answer_frame(0, verdict, 0.0, detail))
    if verdict == "ready":
        is_full = literal_eval(detail)["level"] == "full"
        zygote = Zygote(control, JOBS_FD, settings["timeout_s"], settings["memory_mb"], is_full)
        serve(JOBS_FD, zygote)


def _remove(folder: str) -> None:
    """Remove a folder of the grader's, which may not be there any more to do it."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        wipe.wipe(fd)
        os.close(fd)
        os.rmdir(folder)  # noqa: PTH106 - what is imported here is in every candidate


def _warm_up(packages: dict[str, str]) -> None:
    """Do once what every sample would do again."""
    # First uses are slow: the compiler's, and the imports that most programs begin with.
    for name in ("collections", "functools", "itertools", "math", "re", "typing"):
        __import__(name)
    # What Python's start-up would have put into builtins, had we not left it out.
    site.setquit()
    site.sethelper()
    rehearse()
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    if packages:
        sys.meta_path.append(OnlyThese(packages))
    sys.path[:] = [folder for folder in sys.path if folder != __file__.rpartition("/")[0]]


def _forget_ourselves(sent: Sent) -> None:
    """Leave no trace of ours for a program to import."""
    sys.meta_path.remove(sent)
    sent.forget()
    for name in [name for name in sys.modules if name.partition(".")[0] == "trueval"]:
        del sys.modules[name]
    sys.modules["__main__"] = type(sys)("__main__")
    sys.dont_write_bytecode = True  # what samples import has its byte code, or may have none


class OnlyThese:
    """Imports a few packages from where they are installed, and none of their neighbours."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """The package's spec, by its top-level name."""
        from _frozen_importlib_external import PathFinder

        folder = self._folders.get(name)
        return PathFinder.find_spec(name, [folder], target) if folder else None
