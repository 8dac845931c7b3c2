"""System calls that Python has no name for, and what they are used for here. Linux only."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CLONE_NEWPID = 0x20000000
CAP_DAC_READ_SEARCH = 1 << 2
_CAPABILITIES_V3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
# Made here and not where they are used: each sample's process would make them again.
_HEADER = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
_SETS = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; again for 32 and up
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)


def _call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process."""
    _call(_libc.prctl(option, value, 0, 0, 0))


class PidNamespaces:
    """Makes the next fork the first process of a pid namespace of its own.

    When that first process is killed, the kernel kills whatever else is in there, however it was
    started and wherever it moved to.
    """

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def before_fork(self) -> None:
        """Ask for a new namespace. Raises `OSError` where that is not allowed."""
        # A second unshare is refused while the first one's namespace is still the next child's.
        _call(_libc.setns(self._own, CLONE_NEWPID))
        _call(_libc.unshare(CLONE_NEWPID))


def become_user(uid: int, capabilities: int) -> None:
    """Give up root for good, for a user id that owns nothing; keep only `capabilities`."""
    if capabilities:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if capabilities:
        _SETS[0] = _SETS[1] = capabilities
        _call(_libc.capset(_HEADER, _SETS))
    # Changing users made /proc/self root's; honest code reads it.
    prctl(PR_SET_DUMPABLE, 1)
