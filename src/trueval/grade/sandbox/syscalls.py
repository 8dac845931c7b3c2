"""Linux system calls by name: their numbers on x86-64 and arm64, and a way to make them.

The C library has no wrapper for many of those that a jail is made of, and nothing here may need a
compiler. Importing this is safe on any system; calling is for Linux alone.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

# name=x86-64/arm64; empty where that machine has no such call (it has a newer twin instead).
_TABLE = """
accept=43/202 access=21/ acct=163/89 add_key=248/217 alarm=37/ arch_prctl=158/ bind=49/200
bpf=321/280 brk=12/214 capget=125/90 capset=126/91 chdir=80/49 chmod=90/ chown=92/ chroot=161/51
clock_getres=229/114 clock_gettime=228/113 clock_nanosleep=230/115 clone3=435/435 clone=56/220
close=3/57 close_range=436/436 connect=42/203 copy_file_range=326/285 creat=85/ dup2=33/
dup3=292/24 dup=32/23 epoll_create1=291/20 epoll_create=213/ epoll_ctl=233/21 epoll_pwait2=441/441
epoll_pwait=281/22 epoll_wait=232/ eventfd2=290/19 eventfd=284/ execve=59/221 execveat=322/281
exit=60/93 exit_group=231/94 faccessat2=439/439 faccessat=269/48 fadvise64=221/223
fallocate=285/47 fanotify_init=300/262 fchdir=81/50 fchmod=91/52 fchmodat2=452/452 fchmodat=268/53
fchownat=260/54 fcntl=72/25 fdatasync=75/83 fgetxattr=193/10 flistxattr=196/13 flock=73/32
fork=57/ fsopen=430/430 fstat=5/80 fstatfs=138/44 fsync=74/82 ftruncate=77/46 futex=202/98
futex_requeue=456/456 futex_wait=455/455 futex_waitv=449/449 futex_wake=454/454 futimesat=261/
get_robust_list=274/100 getcpu=309/168 getcwd=79/17 getdents64=217/61 getdents=78/ getegid=108/177
geteuid=107/175 getgid=104/176 getgroups=115/158 getitimer=36/102 getpeername=52/205
getpgid=121/155 getpgrp=111/ getpid=39/172 getppid=110/173 getpriority=140/141 getrandom=318/278
getresgid=120/150 getresuid=118/148 getrlimit=97/163 getrusage=98/165 getsid=124/156
getsockname=51/204 getsockopt=55/209 gettid=186/178 gettimeofday=96/169 getuid=102/174
getxattr=191/8 init_module=175/105 inotify_init1=294/26 io_uring_setup=425/425 ioctl=16/29
kcmp=312/272 kexec_load=246/104 keyctl=250/219 kill=62/129 landlock_add_rule=445/445
landlock_create_ruleset=444/444 landlock_restrict_self=446/446 lgetxattr=192/9 link=86/
linkat=265/37 listen=50/201 listxattr=194/11 llistxattr=195/12 lseek=8/62 lstat=6/ madvise=28/233
membarrier=324/283 memfd_create=319/279 mkdir=83/ mkdirat=258/34 mknodat=259/33 mlock=149/228
mmap=9/222 mount=165/40 mount_setattr=442/442 move_mount=429/429 mprotect=10/226 mremap=25/216
msgget=68/186 msync=26/227 munmap=11/215 name_to_handle_at=303/264 nanosleep=35/101
newfstatat=262/79 open=2/ open_by_handle_at=304/265 open_tree=428/428 openat2=437/437
openat=257/56 pause=34/ perf_event_open=298/241 personality=135/92 pidfd_getfd=438/438
pidfd_open=434/434 pidfd_send_signal=424/424 pipe2=293/59 pipe=22/ pivot_root=155/41 poll=7/
ppoll=271/73 prctl=157/167 pread64=17/67 preadv2=327/286 preadv=295/69 prlimit64=302/261
process_vm_readv=310/270 process_vm_writev=311/271 pselect6=270/72 ptrace=101/117 pwrite64=18/68
pwritev2=328/287 pwritev=296/70 quotactl=179/60 read=0/63 readahead=187/213 readlink=89/
readlinkat=267/78 readv=19/65 reboot=169/142 recvfrom=45/207 recvmsg=47/212 rename=82/
renameat2=316/276 renameat=264/38 restart_syscall=219/128 rmdir=84/ rseq=334/293
rt_sigaction=13/134 rt_sigpending=127/136 rt_sigprocmask=14/135 rt_sigqueueinfo=129/138
rt_sigreturn=15/139 rt_sigsuspend=130/133 rt_sigtimedwait=128/137 rt_tgsigqueueinfo=297/240
sched_get_priority_max=146/125 sched_get_priority_min=147/126 sched_getaffinity=204/123
sched_getattr=315/275 sched_getparam=143/121 sched_getscheduler=145/120
sched_rr_get_interval=148/127 sched_setaffinity=203/122 sched_setscheduler=144/119
sched_yield=24/124 seccomp=317/277 select=23/ semget=64/190 sendfile=40/71 sendmsg=46/211
sendto=44/206 set_robust_list=273/99 set_tid_address=218/96 setgroups=116/159 sethostname=170/161
setitimer=38/103 setns=308/268 setpgid=109/154 setpriority=141/140 setresgid=119/149
setresuid=117/147 setrlimit=160/164 setsid=112/157 setsockopt=54/208 setxattr=188/5 shmget=29/194
shutdown=48/210 sigaltstack=131/132 signalfd4=289/74 signalfd=282/ socket=41/198 socketpair=53/199
splice=275/76 stat=4/ statfs=137/43 statx=332/291 swapon=167/224 symlink=88/ symlinkat=266/36
sync=162/81 sysinfo=99/179 syslog=103/116 tgkill=234/131 time=201/ timer_create=222/107
timer_delete=226/111 timer_getoverrun=225/109 timer_gettime=224/108 timer_settime=223/110
timerfd_create=283/85 timerfd_gettime=287/87 timerfd_settime=286/86 times=100/153 tkill=200/130
truncate=76/45 umask=95/166 umount2=166/39 uname=63/160 unlink=87/ unlinkat=263/35 unshare=272/97
userfaultfd=323/282 utime=132/ utimensat=280/88 utimes=235/ vfork=58/ vmsplice=278/75 wait4=61/260
waitid=247/95 write=1/64 writev=20/66
"""

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_machine = os.uname().machine if sys.platform == "linux" else ""
_column, AUDIT_ARCH = _MACHINES.get(_machine, (-1, 0))
"""`AUDIT_ARCH` is how a seccomp filter sees this machine; 0 on one that is not known here."""


def _numbers(column: int) -> dict[str, int]:
    numbers = {}
    for entry in _TABLE.split() if column >= 0 else ():
        name, _, columns = entry.partition("=")
        number = columns.split("/")[column]
        if number:
            numbers[name] = int(number)
    return numbers


NR = _numbers(_column)
"""Numbers on this machine. Empty where the machine is not known, or is not Linux."""

# PyDLL: whoever calls here has one thread, and letting go of the interpreter's lock has a price.
_libc = ctypes.PyDLL(None, use_errno=True)
raw = _libc.syscall
"""`syscall(2)`: the number and six arguments; -1 for a failure, which `ctypes.get_errno` tells."""
raw.argtypes = (ctypes.c_long,) * 7
raw.restype = ctypes.c_long
# The C library's fork. Python's own also makes threads, locks and pending signals ready for a
# process that had several threads: pages that each child and its zygote would pay for.
fork: Callable[[], int] = _libc.fork if sys.platform == "linux" else os.fork
"""Like `os.fork`, for a process that has one thread; negative when it fails."""


def fork_failed() -> OSError:
    """Why the last fork by `fork` or `raw` failed."""
    error = ctypes.get_errno()
    return OSError(error, f"fork: {os.strerror(error)}")


PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 24, 36, 38

AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
O_PATH = 0o10000000
CAP_DAC_READ_SEARCH = 1 << 2
_CAPABILITIES_V3 = 0x20080522


def prepared(name: str, *arguments: int) -> tuple[int, ...]:
    """What `raw` takes to make this call, as often as it is needed. Raises `OSError` for none."""
    number = NR.get(name)
    if number is None:
        raise OSError(38, f"{name}: no such system call here")  # ENOSYS
    return number, *arguments, *(0,) * (6 - len(arguments))


def failed(number: int) -> OSError:
    """Why the last call by `raw` failed, which had this number."""
    error = ctypes.get_errno()
    name = next(name for name, known in NR.items() if known == number)
    return OSError(error, f"{name}: {os.strerror(error)}")


def call(name: str, *arguments: int) -> int:
    """The result of one system call. Pass pointers by `ctypes.addressof`. Raises `OSError`."""
    numbers = prepared(name, *arguments)
    result = int(raw(*numbers))
    if result < 0:
        raise failed(numbers[0])
    return result


# Looked up now: to find it, a zygote would read in 300 KB of libraries.
_malloc_trim: Callable[[int], int] | None = getattr(_libc, "malloc_trim", None)


def trim() -> None:
    """Give memory that is free back to the system: a fork copies no entries for it."""
    if _malloc_trim is not None:  # the C library is glibc
        _malloc_trim(0)


def prctl(option: int, value: int, third: int = 0) -> int:
    """Set one attribute of this process."""
    return call("prctl", option, value, third, 0, 0)


def call_with(name: str, *arguments: int | str) -> int:
    """Like `call`, where some arguments are texts."""
    # Held until the call is over: an address alone keeps nothing alive.
    held = [
        ctypes.create_string_buffer(os.fsencode(part)) if isinstance(part, str) else part
        for part in arguments
    ]
    return call(name, *(part if isinstance(part, int) else ctypes.addressof(part) for part in held))


_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
_capability_sets: dict[int, ctypes.Array[ctypes.c_uint32]] = {}


def capability_sets(capabilities: int) -> tuple[int, int]:
    """What capset(2) takes to keep these (a mask of the first 32): two addresses, good for ever."""
    if capabilities not in _capability_sets:
        # Effective, permitted, inheritable; again for 32 and up.
        sets = (ctypes.c_uint32 * 6)(capabilities, capabilities)
        _capability_sets[capabilities] = sets
    return ctypes.addressof(_CAPABILITY_HEADER), ctypes.addressof(_capability_sets[capabilities])


def keep_capabilities(capabilities: int) -> None:
    """Give up every capability but these (a mask of the first 32) for good."""
    call("capset", *capability_sets(capabilities))


def drop_bounding_set() -> None:
    """See to it that nothing this process starts can ever regain a capability."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == 22:  # EINVAL: past the last one
                return
            raise


def close_all_but(*kept: int) -> None:
    """Close every file descriptor from 3 up that is not in `kept`."""
    first = 3
    for fd in sorted(kept):
        if fd < first:
            continue
        if fd > first:
            _close_range(first, fd - 1)
        first = fd + 1
    _close_range(first, 0xFFFFFFFF)


def _close_range(first: int, last: int) -> None:
    try:
        call("close_range", first, last)
    except OSError:  # before Linux 5.9
        os.closerange(first, min(last + 1, os.sysconf("SC_OPEN_MAX")))
