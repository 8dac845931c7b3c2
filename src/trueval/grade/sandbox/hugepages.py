"""Moves the interpreter's code into huge pages, of which a fork takes two or three along.

A fork does not take pages of files along: each child comes to some 25 parts of the interpreter
anew, and pays for each. A copy of the code in anonymous huge pages is there from the start, and
costs the fork an entry a page of 2 MB. What is moved keeps its address and its content. The way is
known from Intel's iodlr ("Runtime Performance Optimization Blueprint: Large Code Pages"), and from
HHVM and Node.js (`--use-largepages`), which have it to spare misses of the instruction TLB.
"""

# Workers stay small, and pathlib is not.
# ruff: noqa: PTH123

from __future__ import annotations

import ctypes
import os

from trueval.grade.sandbox import syscalls

SIZE = 2 * 1024 * 1024
MACHINES = ("x86_64",)
"""Where this was seen to work. Elsewhere pages, and what an instruction cache knows, differ."""
_READ, _WRITE, _EXEC = 1, 2, 4
_PRIVATE_ANONYMOUS, _HUGE = 0x22, 14  # of mmap and madvise
_MAY_MOVE, _FIXED = 1, 2  # of mremap


def move_code() -> int:
    """Move what can be moved; how many bytes that were. Call while there is one thread.

    0 where there is nothing to gain: no huge pages, or no part of the code that fills one.
    """
    if os.uname().machine not in MACHINES or not syscalls.NR:
        return 0
    try:
        start, end = code_span(ctypes.cast(ctypes.pythonapi.PyObject_Call, ctypes.c_void_p).value)
        start, end = -(-start // SIZE) * SIZE, end // SIZE * SIZE
        # In a fork first, as one that fails half way has no code to go on with.
        if start >= end or not _works(start, end):
            return 0
        _move(start, end)
    except (OSError, ValueError, AttributeError):
        return 0
    return end - start


def code_span(address: int | None) -> tuple[int, int]:
    """Start and end of what lies around an address, of the same file and never written to.

    Raises `ValueError` when nothing does.
    """
    found = (0, 0, "")
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, rights, _, _, _, *path = line.split(maxsplit=5)
            low, high = (int(part, 16) for part in span.split("-"))
            if "w" in rights or not path:
                continue
            if found[1:] == (low, path[0]):
                found = (found[0], high, path[0])
            elif address is not None and found[0] <= address < found[1]:
                break
            else:
                found = (low, high, path[0])
    if address is None or not found[0] <= address < found[1]:
        raise ValueError("no file is mapped there")
    return found[:2]


def _works(start: int, end: int) -> bool:
    """Whether a move succeeds and is worth it, tried in a throwaway process."""
    pid = os.fork()
    if pid == 0:
        try:
            before = _huge_kb()
            _move(start, end)
            # In small pages, a fork has more to copy than before.
            os._exit(_huge_kb() - before < (end - start) // 1024)
        finally:
            os._exit(2)
    return os.waitpid(pid, 0)[1] == 0


def _move(start: int, end: int) -> None:
    size = end - start
    copy = _room(size)
    try:
        syscalls.call("madvise", copy, size, _HUGE)
        ctypes.memmove(copy, start, size)
        syscalls.call("mprotect", copy, size, _READ | _EXEC)
        # One system call: what it returns to is the same code again.
        syscalls.call("mremap", copy, size, size, _MAY_MOVE | _FIXED, start)
    except OSError:
        syscalls.call("munmap", copy, size)
        raise


def _room(size: int) -> int:
    """Address of so many fresh bytes, which begin a huge page."""
    low = syscalls.call("mmap", 0, size + SIZE, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    start = -(-low // SIZE) * SIZE
    # The rest goes at once: later, something else may have come to lie there.
    for rest, end in ((low, start), (start + size, low + size + SIZE)):
        if end > rest:
            syscalls.call("munmap", rest, end - rest)
    return start


def _huge_kb() -> int:
    """How much of this process's own memory is in huge pages."""
    with open("/proc/self/smaps_rollup") as sums:
        return next((int(line.split()[1]) for line in sums if line.startswith("AnonHuge")), 0)
