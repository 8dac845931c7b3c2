"""Which system calls a candidate may make: an allow-list, as two classic BPF programs.

What is not listed fails with EPERM, so that honest code which tries it gets a `PermissionError`
and may go on. Nothing kills. Calls newer than the list fail with ENOSYS, for which the C library
falls back to an older one; so does clone3, whose flags a filter cannot see.

The list is long, and the kernel compiles a filter whenever one is installed. So the zygote installs
the list once, with what it needs itself on top, and its children inherit that; each of them then
takes the zygote's own calls away, which is short. Of several filters the strictest decides.
"""

from __future__ import annotations

import ctypes

from trueval.grade.sandbox.syscalls import AUDIT_ARCH, NR, call

EPERM, ENOSYS = 1, 38
SET_MODE_FILTER = 1
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
DENY, UNKNOWN = ERRNO | EPERM, ERRNO | ENOSYS
NEWEST_KNOWN = 456
X32_BIT = 0x40000000

ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range
open openat openat2 creat stat fstat lstat newfstatat statx statfs fstatfs access faccessat
faccessat2 getdents getdents64 readlink readlinkat mkdir mkdirat rmdir unlink unlinkat rename
renameat renameat2 link linkat symlink symlinkat truncate ftruncate fallocate fadvise64 readahead
chmod fchmod fchmodat fchmodat2 umask utime utimes futimesat utimensat getxattr lgetxattr fgetxattr
listxattr llistxattr flistxattr fsync fdatasync flock sendfile copy_file_range getcwd chdir fchdir
dup dup2 dup3 pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait
epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd
signalfd4 brk mmap munmap mprotect mremap madvise msync membarrier futex futex_wake futex_wait
futex_requeue futex_waitv set_robust_list set_tid_address rseq restart_syscall sched_yield
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack
pause alarm getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun
timer_delete nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage
getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getgroups getresuid
getresgid capget getpriority sched_getaffinity sched_getparam sched_getscheduler sched_getattr
sched_get_priority_max sched_get_priority_min sched_rr_get_interval getrlimit getcpu
getrandom uname sysinfo wait4 waitid exit exit_group arch_prctl
shutdown sendto recvfrom recvmsg getsockname getpeername getsockopt
"""

_THREAD = 0x100 | 0x800 | 0x10000  # CLONE_VM, CLONE_SIGHAND, CLONE_THREAD
# VFORK, PTRACE, PARENT and every new namespace.
_NOT_IN_A_THREAD = 0x4000 | 0x2000 | 0x8000 | 0x7E020000 | 0x80
OWN_PID = -1
"""Stands for the process id of the candidate, filled in when the filter is installed."""

_Condition = tuple[int, int, tuple[int, ...] | range]
# name -> (argument, mask, values)...: allowed when each masked argument is one of its values. A
# `range` of them takes two lines, and has no step.
# The kernel reads no more than the low half of any of these.
CONDITIONS: dict[str, tuple[_Condition, ...]] = {
    "clone": ((0, _THREAD | _NOT_IN_A_THREAD, (_THREAD,)),),
    # 0 is the own process group: a candidate is alone in its session.
    "kill": ((0, 0xFFFFFFFF, (0, OWN_PID)),),
    "tgkill": ((0, 0xFFFFFFFF, (OWN_PID,)),),
    # Every limit but that of CPU time, by which a program could have the kernel kill it: at level
    # full it has no other way to a SIGKILL, and so one is not its doing.
    "prlimit64": ((0, 0xFFFFFFFF, (0, OWN_PID)), (1, 0xFFFFFFFF, range(1, 16))),
    "setrlimit": ((0, 0xFFFFFFFF, range(1, 16)),),
    # Names of threads and of memory, and questions.
    "prctl": ((0, 0xFFFFFFFF, (15, 16, 3, 21, 23, 39, 0x53564D41)),),
    # Is it a terminal, how much is there to read, blocking, close-on-exec.
    "ioctl": ((1, 0xFFFFFFFF, (0x5401, 0x802C542A, 0x541B, 0x5413, 0x5421, 0x5450, 0x5451)),),
    # No F_SETOWN and F_SETSIG: they send any signal to anybody.
    "fcntl": ((1, 0xFFFFFFFF, (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032)),),
    # AF_UNIX, and streams alone: a datagram socket could send to any address it can name.
    "socketpair": ((0, 0xFFFFFFFF, (1,)), (1, 0xF, (1,))),
    # The option: REUSEADDR, SNDBUF, RCVBUF, KEEPALIVE, RCVTIMEO, SNDTIMEO; no socket filters.
    "setsockopt": ((1, 0xFFFFFFFF, (1,)), (2, 0xFFFFFFFF, (2, 7, 8, 9, 20, 21))),
}

ZYGOTES = """
capset landlock_restrict_self pidfd_open sched_setscheduler seccomp sendmsg setpriority setresgid
setresuid setsid
"""
"""What only the zygote needs, to fork a candidate and shut it off. Descriptors that were sent
outlive their sender: they would keep a scratch full, and the kernel counts a user's together."""
TIGHTENED = ("clone", "kill", "prctl", "prlimit64", "tgkill")
"""What is free in the zygote, and has its conditions in a candidate."""

_LD, _JEQ, _JGE, _JA, _AND, _RET = 0x20, 0x15, 0x35, 0x05, 0x54, 0x06
_NR_AT, _ARCH_AT, _ARGS_AT = 0, 4, 16  # offsets in struct seccomp_data, little-endian machines
_Line = tuple[int, int, int, int]  # code, jump when true, jump when false, constant


def _arguments_hold(conditions: tuple[_Condition, ...]) -> list[_Line]:
    """Lines that end in ALLOW or DENY."""
    lines: list[_Line] = []
    for argument, mask, values in conditions:
        lines.append((_LD, 0, 0, _ARGS_AT + 8 * argument))
        if mask != 0xFFFFFFFF:
            lines.append((_AND, 0, 0, mask))
        if isinstance(values, range):
            lines += [(_JGE, 0, 1, values[0]), (_JGE, 0, 1, values[-1] + 1)]
        else:  # a hit skips the values that are left, and the refusal
            down = range(len(values), 0, -1)
            lines += [(_JEQ, left, 0, value) for left, value in zip(down, values, strict=True)]
        lines.append((_RET, 0, 0, DENY))
    return [*lines, (_RET, 0, 0, ALLOW)]


def _ranges(treated: dict[int, list[_Line]], default: int) -> list[tuple[int, list[_Line]]]:
    """First number of each run of calls that are treated alike, and the lines that treat them."""
    ranges: list[tuple[int, list[_Line]]] = []
    for number in range(NEWEST_KNOWN + 1):
        lines = treated.get(number, [(_RET, 0, 0, default)])
        if not ranges or ranges[-1][1] != lines:
            ranges.append((number, lines))
    return ranges


def _tree(ranges: list[tuple[int, list[_Line]]]) -> list[_Line]:
    """Lines that find the range of a number in a few steps.

    The kernel runs the program for every number there is when it is installed, and again for
    every call: a list would be ten times as long a way.
    """
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    if len(low) > 255:  # what a conditional jump can skip
        jump: list[_Line] = [(_JGE, 0, 1, ranges[middle][0]), (_JA, 0, 0, len(low))]
        return [*jump, *low, *high]
    return [(_JGE, len(low), 0, ranges[middle][0]), *low, *high]


def program_of_zygote() -> list[_Line]:
    """The allow-list and the zygote's own calls: lines of a filter that its children inherit."""
    allowed = [*ALLOWED.split(), *ZYGOTES.split(), *TIGHTENED]
    treated: dict[int, list[_Line]] = {
        NR[name]: [(_RET, 0, 0, ALLOW)] for name in allowed if name in NR
    }
    for name, rule in CONDITIONS.items():
        if name in NR and name not in TIGHTENED:
            treated[NR[name]] = _arguments_hold(rule)
    treated[NR["clone3"]] = [(_RET, 0, 0, UNKNOWN)]
    ranges = _ranges(treated, DENY)
    ranges.append((NEWEST_KNOWN + 1, [(_RET, 0, 0, UNKNOWN)]))
    ranges.append((X32_BIT, [(_RET, 0, 0, DENY)]))
    head: list[_Line] = [
        (_LD, 0, 0, _ARCH_AT),
        # The 32-bit calls of this machine have numbers of their own, and none of them is needed.
        (_JEQ, 1, 0, AUDIT_ARCH),
        (_RET, 0, 0, DENY),
        (_LD, 0, 0, _NR_AT),
    ]
    return [*head, *_tree(ranges)]


def program_of_candidate() -> list[_Line]:
    """Lines that take from a candidate what the zygote's filter let it have.

    `OWN_PID` stands where its process id belongs.
    """
    treated: dict[int, list[_Line]] = {
        NR[name]: [(_RET, 0, 0, DENY)] for name in ZYGOTES.split() if name in NR
    }
    for name in TIGHTENED:
        treated[NR[name]] = _arguments_hold(CONDITIONS[name])
    return [(_LD, 0, 0, _NR_AT), *_tree(_ranges(treated, ALLOW))]


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("lines", ctypes.c_void_p))


class Filter:
    """Lines of a filter, ready to be installed."""

    def __init__(self, lines: list[_Line]) -> None:
        """Raises `OSError` where this machine's calls have no numbers here."""
        if not AUDIT_ARCH:
            raise OSError(ENOSYS, "seccomp: this machine's system calls are not known here")
        self._lines = (_Instruction * len(lines))(
            *(_Instruction(code, jt, jf, k & 0xFFFFFFFF) for code, jt, jf, k in lines)
        )
        self._own_pid = [place for place, line in enumerate(lines) if line[3] == OWN_PID]
        self._program = _Program(len(lines), ctypes.addressof(self._lines))
        self.address = ctypes.addressof(self._program)
        """Where the kernel finds it."""

    def install(self) -> None:
        """Bind this process and those to come by it, for good. Needs no_new_privs."""
        call("seccomp", SET_MODE_FILTER, 0, self.address)

    def __len__(self) -> int:
        return len(self._lines)

    def prepare(self, own_pid: int) -> None:
        """Write down the id of the process that it is for. Installing it needs no_new_privs."""
        for place in self._own_pid:
            self._lines[place].k = own_pid
