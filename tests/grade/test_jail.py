"""Each mechanism of the jail: what it forbids is refused, and the honest twin works."""

import ast
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trueval.grade.sandbox import levels
from trueval.grade.sandbox.levels import probe

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the jail needs Linux")

SANDBOX = Path(levels.__file__).parent
DRIVER = Path(__file__).with_name("jail_driver.py")
NOBODY = 65534
USERS = ("us", "ordinary")
DOCKER = ("unshare", "mount", "setns", "pivot_root", "open_tree", "move_mount")


def _python_for_all() -> str | None:
    """A Python that other users can run; ours may lie where only root may go."""
    path = Path(sys.executable).resolve()
    places = [path, *(Path(f"/usr/bin/python3.{minor}") for minor in range(11, 16))]
    for place in places:
        readable = all(part.stat().st_mode & 1 for part in (place, *place.parents) if part.exists())
        if place.exists() and readable:
            return str(place)
    return None


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that everybody reaches, with the sandbox's sources in it."""
    folder = Path(tempfile.mkdtemp(prefix="trueval-jail-", dir="/tmp"))
    folder.chmod(0o711)
    shutil.copytree(SANDBOX, folder / "code/trueval/grade/sandbox")
    shutil.copy(DRIVER, folder / "code/jail_driver.py")
    for each in USERS:
        (folder / each).mkdir()
        if each == "ordinary" and os.geteuid() == 0:
            os.chown(folder / each, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Run:
    """Runs pieces of code, each in a child of one jail."""

    def __init__(self, place: Path, level: str, user: str) -> None:
        self.place, self.level, self.user = place, level, user
        self.described: dict[str, Any] = {}

    def __call__(self, *codes: str, **settings: object) -> list[str]:
        python: str | None = sys.executable
        switch: dict[str, Any] = {}
        if self.user == "ordinary":
            if os.geteuid() != 0:
                pytest.skip("we are an ordinary user already")
            python = _python_for_all()
            switch = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        if python is None:
            pytest.skip("no Python that an ordinary user can run")
        scratch = self.place / self.user / "work"
        basics = {"level": self.level, "memory_mb": 256, "timeout_s": 3.0, "scratch": str(scratch)}
        code = self.place / "code"
        arguments = [str(code / "trueval/grade/sandbox"), repr(basics | settings), *codes]
        done = subprocess.run(
            [python, "-s", "-S", "-P", str(code / "jail_driver.py"), *arguments],
            **switch,
            capture_output=True,
            timeout=60,
            env={"TMPDIR": str(scratch), "HOME": str(scratch), "MALLOC_ARENA_MAX": "2"},
            cwd="/",
        )
        lines = done.stdout.decode().splitlines()
        assert lines, done.stderr.decode()
        self.described = ast.literal_eval(lines[0])
        if "failed" in self.described:
            if settings.get("forbid"):
                return [self.described["failed"]]
            pytest.skip(f"no level {self.level} as {self.user}: {self.described['failed']}")
        return [ast.literal_eval(line) for line in lines[1:]]


@pytest.fixture(params=[(level, user) for level in ("full", "filtered") for user in USERS], ids=str)
def run(request: pytest.FixtureRequest, place: Path) -> Run:
    level, user = request.param
    return Run(place, level, user)


REFUSED = [
    "import os; os.fork()",
    "import os; os.execv('/bin/true', ['true'])",
    "import subprocess; subprocess.run(['true'])",
    "import multiprocessing; multiprocessing.get_context('fork').Process().start()",
    "import socket; socket.socket()",
    "import socket; socket.socket(socket.AF_UNIX)",
    "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "import os; os.kill(-1, 9)",
    "import os; os.kill(os.getppid() or 2, 9)",
    "import os; os.memfd_create('x')",
    "import os; os.setuid(0) if os.getuid() else os.setuid(5)",
    "import os; os.chroot('.')",
    "import os; os.mkfifo('x')",
    "import os; os.sched_setaffinity(0, {0})",
    "import fcntl, os; fcntl.fcntl(0, fcntl.F_SETOWN, 2)",
    "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
    "import resource as r; r.setrlimit(r.RLIMIT_DATA, (r.RLIM_INFINITY, r.RLIM_INFINITY))",
    "open('/etc/passwd')",
    "open('/proc/1/environ').read()",
    "import os; os.listdir('/')",
    "import os; os.listdir('/root')",
    "open('/usr/lib/x', 'w')",
    "import os; open(os.__file__, 'a')",
    "import os; os.remove(os.__file__)",
    "import os; open(os.path.dirname(os.__file__) + '/x.py', 'w')",
]


def test_what_harms_is_refused(run: Run) -> None:
    answers = run(*REFUSED)
    for code, answer in zip(REFUSED, answers, strict=True):
        refusals = ("PermissionError", "FileNotFoundError", "ValueError: not allowed", "OSError")
        assert answer.startswith(refusals), (code, answer)


def test_system_calls_that_no_program_needs_are_refused(run: Run) -> None:
    names = (
        "ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd kcmp mount umount2 "
        "pivot_root setns unshare keyctl add_key bpf io_uring_setup perf_event_open userfaultfd "
        "personality quotactl tkill rt_sigqueueinfo open_by_handle_at inotify_init1 syslog reboot "
        "init_module kexec_load shmget msgget semget splice vmsplice seccomp sync "
        "landlock_create_ruleset open_tree fsopen mount_setattr capset execveat clone setsid "
        "setpgid"
    ).split()
    from trueval.grade.sandbox.syscalls import NR

    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, number in {[(name, NR[name]) for name in names]}:\n"
        "    got = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n"
        "    if (got, ctypes.get_errno()) != (-1, 1): print(name, got, ctypes.get_errno())\n"
        "got = libc.syscall(435, 0, 0), ctypes.get_errno()\n"
        "if got != (-1, 38): print('clone3', got)\n"
        # getpid of the x32 calls
        "got = libc.syscall(0x40000000 + 39), ctypes.get_errno()\n"
        "if got[0] != -1: print('x32', got)\n"
    )
    assert run(code) == [""]


HONEST = {
    "import threading as t\nx = [t.Thread(target=print, args=(5,)) for _ in range(2)]\n"
    "for y in x: y.start()\nfor y in x: y.join()": "5 | 5",
    "from concurrent.futures import ThreadPoolExecutor as T\nimport time\n"
    "with T(60) as p: print(sum(p.map(lambda n: time.sleep(.05) or n, range(60))))": "1770",
    "import asyncio\nasync def f():\n  await asyncio.sleep(.001)\n  return 6\n"
    "print(asyncio.run(f()))": "6",
    "import asyncio\nasync def f(): return await asyncio.to_thread(lambda: 7)\n"
    "print(asyncio.run(f()))": "7",
    "import tempfile\nwith tempfile.TemporaryDirectory() as d:\n"
    "  open(d + '/x', 'w').write('hi'); print(open(d + '/x').read())": "hi",
    "import tempfile\nf = tempfile.TemporaryFile(); f.write(b'x' * 10**6); print(f.tell())":
        "1000000",
    "import os\nos.mkdir('d'); os.rename('d', 'e'); os.symlink('e', 'f')\n"
    "print(sorted(os.listdir()))":
        "['e', 'f']",
    "import shutil\nopen('a', 'w').write('1'); shutil.copy2('a', 'b')\n"
    "print(open('b').read())": "1",
    "import time, os, random\ntime.sleep(.01); os.urandom(4); random.random(); print('ok')": "ok",
    "import signal, time\nhit = []\nsignal.signal(signal.SIGALRM, lambda *_: hit.append(1))\n"
    "signal.setitimer(signal.ITIMER_REAL, .01); time.sleep(.1); print(hit)": "[1]",
    "import os, signal\nhit = []\nsignal.signal(signal.SIGUSR1, lambda *_: hit.append(1))\n"
    "os.kill(os.getpid(), signal.SIGUSR1); print(hit)": "[1]",
    "import mmap\nm = mmap.mmap(-1, 10**7); m[5] = 1; print(m[5])": "1",
    "x = bytearray(100 * 2**20); print(len(x) >> 20)": "100",
    "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and 1 + f(n - 1)\n"
    "print(f(20000))":
        "20000",
    "import threading as t, sys\nsys.setrecursionlimit(10**6); t.stack_size(64 * 2**20)\n"
    "x = t.Thread(target=lambda: print(9)); x.start(); x.join()": "9",
    "import locale, mimetypes\nlocale.setlocale(locale.LC_ALL, 'C'); "
    "print(mimetypes.guess_type('a.html')[0])": "text/html",
    "import os\nprint(open('/dev/null').read() == '', len(open('/dev/urandom', 'rb').read(3)))":
        "True 3",
    "import socket\na, b = socket.socketpair(); a.send(b'hi'); print(b.recv(9))": "b'hi'",
    "import select, os\nr, w = os.pipe(); e = select.epoll(); e.register(r); os.write(w, b'x'); "
    "print(len(e.poll(1)))": "1",
    "import ctypes\nprint(ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 3)())": "3",
    "import sqlite3, decimal, json, datetime, uuid, platform\nuuid.uuid4(); platform.system(); "
    "print(sqlite3.connect(':memory:').execute('select 1').fetchone())": "(1,)",
    "import logging, unittest, dataclasses, typing, collections, inspect; print('in')": "in",
}  # fmt: skip


def test_honest_code_works(run: Run) -> None:
    answers = run(*HONEST)
    assert dict(zip(HONEST, answers, strict=True)) == HONEST


def test_capabilities_descriptors_and_session_are_its_own(run: Run) -> None:
    code = (
        "import ctypes, os\n"
        "h, s = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "ctypes.CDLL(None).capget(h, s)\n"
        "fds = [fd for fd in range(300) if not fails(fd)]\n"
        "null = os.stat('/dev/null').st_rdev\n"
        "print(sum(s), fds == [0, 1, 2, FD], all(os.fstat(n).st_rdev == null for n in (0, 1, 2)),\n"
        "  os.getsid(0) in (0, os.getpid()))\n"
    )
    fails = (
        "import os\ndef fails(fd):\n"
        "  try: os.fstat(fd)\n  except OSError: return True\n  return False\n"
    )
    (answer,) = run(fails + code)
    # Only ever the right to read, and that for each of two sets.
    reads = "may read" in run.described["mechanisms"]["user"]
    assert answer == f"{8 if reads else 0} True True True"


def test_what_is_installed_cannot_be_read(run: Run) -> None:
    code = (
        "import os\n"
        "for name in ('site-packages', 'dist-packages'):\n"
        "  folder = os.path.join(os.path.dirname(os.__file__), name)\n"
        "  for root, _, files in os.walk(folder):\n"
        "    for name in files[:1]:\n"
        "      try: open(os.path.join(root, name)); print(name)\n"
        "      except OSError: pass\n"
    )
    assert run(code) == [""]


DIRT = [
    "open('x', 'w').write('x')",
    "import os; os.mkdir('a'); open('a/b', 'w'); os.chmod('a/b', 0); os.chmod('a', 0)",
    "import os\nfor n in range(900): os.mkdir('d'); os.chdir('d')\nopen('f', 'w')",
    "import os; os.mkdir(b'a\\xff\\n'); open(b'a\\xff\\n/-rf', 'w'); os.symlink('/', 'l')",
    "import os; os.mkdir('.1'); os.mkdir('.2'); os.mkdir('.1/.2'); os.mkdir('.1/.2/.1')",
    "import os\ntry:\n  for n in range(9000): open(str(n), 'w')\nexcept OSError: pass",
]


def test_the_next_sample_finds_the_scratch_empty(run: Run) -> None:
    look = "import os; print(os.listdir()); open('y', 'w').write('y' * 10**6)"
    codes = [code for dirt in DIRT for code in (dirt, look)]
    assert run(*codes)[1::2] == ["[]"] * len(DIRT)


def test_memory_has_a_limit_that_is_a_memory_error(run: Run) -> None:
    hog = "x = []\nwhile True: x.append(bytearray(2**24))"
    shared = "import mmap\nx = [mmap.mmap(-1, 2**28) for _ in range(50)]"
    at_once, over_time, mapped = run("x = bytearray(2**31)", hog, shared)
    assert at_once.startswith("MemoryError")
    assert over_time.startswith("MemoryError")
    assert "OSError" in mapped


def test_files_and_threads_and_descriptors_have_a_limit(run: Run) -> None:
    big = "f = open('x', 'wb')\nwhile True: f.write(bytes(2**20))"
    many = "import os\nx = [os.dup(0) for _ in range(300)]"
    threads = (
        "import threading as t, time\nt.stack_size(2**18)\n"
        "for n in range(200): t.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    )
    too_big, too_many, too_wide = run(big, many, threads)
    assert "OSError" in too_big
    assert "OSError" in too_many
    if run.level == "full":
        assert "can't start new thread" in too_wide


def test_endless_loops_are_ended_even_when_nobody_looks(place: Path) -> None:
    assert Run(place, "full", "us")("while True: pass", timeout_s=0.5) == ["ended: -9"]


def test_scratch_is_small(place: Path) -> None:
    fill = "for n in range(5): open(str(n), 'wb').write(bytes(6 * 2**20))"
    run = Run(place, "full", "us")
    full, fine = run(fill, "open('x', 'w').write('x' * 10**6); print(1)")
    assert "No space left" in full
    assert fine == "1"


@pytest.mark.parametrize("user", USERS)
def test_full_shows_nothing_of_the_machine(place: Path, user: str) -> None:
    run = Run(place, "full", user)
    codes = [
        "import os; print(os.getpid(), [n for n in os.listdir('/proc') if n.isdigit()])",
        "import os; print(os.uname().nodename, os.getcwd(), os.environ['TMPDIR'])",
        "import os; print([os.path.exists(p) for p in ('/home', '/root/.ssh', '/boot', '/sys')])",
        "open('/proc/self/oom_score_adj', 'w')",
        "import os; os.kill(0, 0); os.kill(1, 9); print('alive')",
        "import os; os.abort()",
    ]
    processes, place_, there, oom, alive, abort = run(*codes)
    assert processes.startswith("1 [")
    assert processes.count("'") == 2
    # Elsewhere only where Python itself lies in /tmp, which the scratch would hide.
    assert place_ in ("sandbox /tmp /tmp", "sandbox /scratch /scratch")
    assert there == "[False, False, False, False]"
    assert "Error" in oom
    assert alive == "alive"
    assert abort.startswith("ended: -")


@pytest.mark.parametrize("user", USERS)
def test_auto_falls_back_where_namespaces_are_refused(place: Path, user: str) -> None:
    run = Run(place, "auto", user)
    assert run("import os; os.fork()", forbid=DOCKER)[0].startswith("PermissionError")
    assert run.described["level"] == "filtered"


def test_a_level_that_is_not_possible_is_an_error(place: Path) -> None:
    (why,) = Run(place, "full", "us")("print(1)", forbid=DOCKER)
    assert "unshare" in why


def test_auto_never_chooses_bare(place: Path) -> None:
    (why,) = Run(place, "auto", "us")("print(1)", forbid=(*DOCKER, "seccomp"))
    assert "bare must be asked for" in why


def test_bare_runs_on_request(place: Path) -> None:
    run = Run(place, "bare", "us")
    assert run("print(1)") == ["1"]
    assert run.described["level"] == "bare"


def test_the_probe_changes_nothing_here() -> None:
    before = Path("/proc/self/status").read_text().splitlines()
    found = probe()
    after = Path("/proc/self/status").read_text().splitlines()
    assert found["level"] in ("full", "filtered", "bare")
    kept = ("Uid", "Cap", "NoNewPrivs", "Seccomp", "NSpid")
    assert [x for x in before if x.startswith(kept)] == [x for x in after if x.startswith(kept)]


def test_the_jail_ends_with_the_process_that_made_it(place: Path) -> None:
    code = place / "code"
    settings = {"level": "full", "memory_mb": 256, "timeout_s": 3.0, "scratch": str(place / "us/w")}
    arguments = [str(code / "trueval/grade/sandbox"), repr(settings), "import time; time.sleep(60)"]
    command = [sys.executable, "-s", "-S", "-P", str(code / "jail_driver.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        if b"failed" in process.stdout.readline():
            pytest.skip("no level full")
        process.kill()
        # The pipe's other end is open in the zygote and its child until both are gone.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        assert process.stdout.read() == b""
