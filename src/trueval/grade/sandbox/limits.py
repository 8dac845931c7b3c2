"""Resource limits of a candidate, and what they leave free for honest code."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import sys

MB = 1024 * 1024
MAX_FILE_BYTES = 16 * MB
MAX_OPEN_FILES = 256
MAX_TASKS = 128
"""Threads (and at level bare, processes) of one candidate, where it has a user of its own."""
_STACK_BYTES = 8 * MB
_STACKS_FREE = 64
_MAPPINGS_FREE = 1024 * MB


def set_for_all(memory_mb: int) -> None:
    """Set the limits that the zygote may have as well: each child inherits them for nothing."""
    # DATA counts a thread's whole stack, 8 MB, when it starts, though it touches a few pages:
    # without room for these, honest code with many threads fails. What is resident is what the
    # supervisor decides by.
    data = memory_mb * MB + _STACKS_FREE * _STACK_BYTES
    limits = {
        "DATA": data,
        # Libraries, reserved arenas, and the bound on shared mappings, which DATA leaves out.
        "AS": data + _MAPPINGS_FREE,
        "FSIZE": MAX_FILE_BYTES,
        "NOFILE": MAX_OPEN_FILES,
        # Room for deep recursion, also where the grader's own shell had less.
        "STACK": _STACK_BYTES,
        **dict.fromkeys(("CORE", "MSGQUEUE", "RTPRIO", "NICE", "MEMLOCK"), 0),
    }
    if sys.platform == "darwin":  # refuses these two
        del limits["DATA"], limits["AS"]
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            least = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (least, least))


def of_one(timeout_s: float, own_user: bool) -> list[tuple[int, tuple[int, int]]]:
    """The limits that each child sets for itself, because they would bind the zygote too."""
    cpu_s = math.ceil(timeout_s) + 1  # only a backstop: it counts whole seconds
    limits = [(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))]
    tasks = MAX_TASKS if own_user else _share_of_tasks()
    if tasks:
        limits.append((resource.RLIMIT_NPROC, (tasks, tasks)))
    return [(kind, _no_more_than_ours(kind, pair)) for kind, pair in limits]


def _no_more_than_ours(kind: int, pair: tuple[int, int]) -> tuple[int, int]:
    """Limits below the hard one that we have, which an ordinary user cannot raise."""
    hard = resource.getrlimit(kind)[1]
    if hard == resource.RLIM_INFINITY:
        return pair
    # Where both differ the soft one tells, and only the hard one kills.
    gap = 1 if pair[0] < pair[1] else 0
    return min(pair[0], hard - gap), min(pair[1], hard)


def _share_of_tasks() -> int:
    """Half of what the user may have: other work of theirs counts too, and must go on."""
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return 0 if soft == resource.RLIM_INFINITY else soft // 2


def stand_back() -> None:
    """Run only on cores that nobody else wants."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return
    os.nice(19)
