"""Both filters, run line by line as the kernel would, against the lists that they were made of."""

import sys

import pytest

from trueval.grade.sandbox import seccomp, syscalls

pytestmark = pytest.mark.skipif(not syscalls.NR, reason="this machine's calls are not known")

THREAD = 0x3D0F00  # what glibc's pthread_create passes


def of_zygote(number: int, *arguments: int, arch: int = syscalls.AUDIT_ARCH) -> int:
    return run(seccomp.program_of_zygote(), number, arguments, arch)


def verdict(number: int, *arguments: int, arch: int = syscalls.AUDIT_ARCH) -> int:
    """What a candidate is told, which inherits the zygote's filter: the kernel takes the lesser."""
    own = run(seccomp.program_of_candidate(), number, arguments, arch)
    return min(of_zygote(number, *arguments, arch=arch), own)


def run(lines: list[seccomp._Line], number: int, arguments: tuple[int, ...], arch: int) -> int:
    words = [number, arch, 0, 0]
    for argument in (*arguments, *(0,) * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    value = place = 0
    while True:
        code, jump_true, jump_false, k = lines[place]
        k = 77 if k == seccomp.OWN_PID else k
        place += 1
        if code == 0x20:
            value = words[k // 4]
        elif code == 0x54:
            value &= k
        elif code == 0x05:
            place += k
        elif code == 0x15:
            place += jump_true if value == k else jump_false
        elif code == 0x35:
            place += jump_true if value >= k else jump_false
        else:
            assert code == 0x06
            return k


def test_every_number_is_treated_as_listed() -> None:
    allowed = {syscalls.NR[name] for name in seccomp.ALLOWED.split() if name in syscalls.NR}
    conditional = {syscalls.NR[name] for name in (*seccomp.CONDITIONS, "clone3")}
    for number in range(seccomp.NEWEST_KNOWN + 1):
        if number not in conditional:
            expected = seccomp.ALLOW if number in allowed else seccomp.DENY
            assert verdict(number) == expected, number


def test_the_zygote_may_do_no_more_than_it_needs() -> None:
    """A fork, a fresh candidate's limits and its end; nothing else that a candidate may not."""
    more = {syscalls.NR[name] for name in (*seccomp.ZYGOTES.split(), *seccomp.TIGHTENED)}
    for number in range(seccomp.NEWEST_KNOWN + 1):
        expected = seccomp.ALLOW if number in more else verdict(number)
        assert of_zygote(number) == expected, number
    for name in ("execve", "ptrace", "mount", "bpf", "socket", "connect", "init_module"):
        assert of_zygote(syscalls.NR[name]) == seccomp.DENY


def test_every_listed_name_is_a_call_somewhere() -> None:
    known = {entry.partition("=")[0] for entry in syscalls._TABLE.split()}
    listed = {*seccomp.ALLOWED.split(), *seccomp.CONDITIONS, *seccomp.ZYGOTES.split()}
    assert listed <= known
    assert set(seccomp.TIGHTENED) <= set(seccomp.CONDITIONS)


@pytest.mark.parametrize(
    ("name", "arguments", "is_allowed"),
    [
        ("clone", (THREAD,), True),
        ("clone", (17,), False),
        ("clone", (0x4111,), False),
        ("clone", (THREAD | 0x10000000,), False),
        ("clone", (THREAD | 0x20000000,), False),
        ("clone", (THREAD | 0x80,), False),
        ("clone", (THREAD | 0x00020000,), False),
        ("kill", (77, 9), True),
        ("kill", (0, 9), True),
        ("kill", (78, 9), False),
        ("kill", (-1, 9), False),
        ("tgkill", (77, 80, 6), True),
        ("tgkill", (78, 78, 6), False),
        ("socketpair", (1, 0o2004001), True),
        ("socketpair", (1, 2), False),
        ("socketpair", (2, 1), False),
        ("prctl", (15,), True),
        ("prctl", (4, 1), False),
        ("prctl", (22, 2), False),
        ("ioctl", (0, 0x5401), True),
        ("ioctl", (0, 0x5412), False),
        ("fcntl", (0, 1030), True),
        ("fcntl", (0, 8), False),
        ("prlimit64", (0, 7), True),
        ("prlimit64", (77, 7), True),
        ("prlimit64", (1234, 7), False),
        ("prlimit64", (0, 0), False),
        ("prlimit64", (0, 1), True),
        ("prlimit64", (0, 15), True),
        ("prlimit64", (0, 16), False),
        ("setrlimit", (7,), True),
        ("setrlimit", (0,), False),
        ("setsockopt", (3, 1, 7), True),
        ("setsockopt", (3, 1, 26), False),
    ],
)
def test_arguments_decide(name: str, arguments: tuple[int, ...], is_allowed: bool) -> None:
    expected = seccomp.ALLOW if is_allowed else seccomp.DENY
    assert verdict(syscalls.NR[name], *arguments) == expected


def test_other_machines_and_unknown_calls_are_refused() -> None:
    assert verdict(syscalls.NR["read"], arch=0x40000003) == seccomp.DENY  # 32-bit
    assert verdict(seccomp.X32_BIT | 1) == seccomp.DENY
    assert verdict(0xFFFFFFFF) == seccomp.DENY
    assert verdict(syscalls.NR["clone3"]) == seccomp.UNKNOWN
    assert verdict(seccomp.NEWEST_KNOWN + 1) == seccomp.UNKNOWN


def test_what_each_candidate_installs_is_short() -> None:
    assert sys.platform == "linux"
    assert len(seccomp.Filter(seccomp.program_of_candidate())) < 120


@pytest.mark.parametrize("column", [0, 1])
def test_both_machines_have_what_the_jail_needs(column: int) -> None:
    numbers = syscalls._numbers(column)
    assert len(set(numbers.values())) == len(numbers)
    for name in ("seccomp", "landlock_restrict_self", "unshare", "capset", "openat", "clone3"):
        assert name in numbers
