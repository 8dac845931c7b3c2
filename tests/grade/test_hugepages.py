"""The interpreter's code in huge pages: moved without a change, or left where it is."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.grade.processes import workers_of
from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox import hugepages

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in hugepages.MACHINES,
    reason="nothing is moved on this machine",
)

MOVES = """
import ctypes, hashlib, sys
from trueval.grade.sandbox import hugepages, syscalls
{before}
address = ctypes.cast(ctypes.pythonapi.PyObject_Call, ctypes.c_void_p).value
start, end = hugepages.code_span(address)
def content():
    return hashlib.sha256(ctypes.string_at(start, end - start)).hexdigest()
same = content()
moved = hugepages.move_code()
assert content() == same
import decimal, json  # code that was not used before works as well
assert json.loads("[1.5]") == [1.5] and decimal.Decimal("0.1") * 3 == decimal.Decimal("0.3")
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
assert deep(500) == 500 and sum(range(10**5)) == 4999950000
print(moved)
"""
NO_HUGE_PAGES = "syscalls.prctl(41, 1)"  # PR_SET_THP_DISABLE


def moved(before: str = "") -> int:
    """How many bytes a fresh Python moves, when all works there as before."""
    command = [sys.executable, "-c", MOVES.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def has_huge_pages() -> bool:
    try:
        setting = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text("ascii")
    except OSError:
        return False
    return "[never]" not in setting


def test_code_moves_whole_huge_pages_or_none() -> None:
    size = moved()
    assert size % hugepages.SIZE == 0
    assert not size or has_huge_pages()


def test_without_huge_pages_nothing_is_moved() -> None:
    assert moved(NO_HUGE_PAGES) == 0


def test_code_span_is_of_one_file_and_not_written_to() -> None:
    address = ctypes.cast(ctypes.pythonapi.PyObject_Call, ctypes.c_void_p).value
    start, end = hugepages.code_span(address)
    assert address is not None
    assert start <= address < end
    inside = []
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        span, rights, _, _, _, *path = line.split(maxsplit=5)
        low, high = (int(part, 16) for part in span.split("-"))
        if start < high and low < end:
            inside.append((path, "w" in rights))
    assert inside
    assert all(each == (inside[0][0], False) for each in inside)


@pytest.mark.parametrize("address", [None, 0, 1 << 62])
def test_where_no_file_is_mapped_there_is_no_span(address: int | None) -> None:
    with pytest.raises(ValueError, match="no file"):
        hugepages.code_span(address)


async def test_candidates_get_it_from_their_zygote() -> None:
    if not moved():
        pytest.skip("this machine has no huge pages to give")
    grader = FunctionalGrader(workers=1)
    await grader.open()
    try:
        (worker,) = workers_of(grader)
        assert worker.zygote is not None
        sums = Path(f"/proc/{worker.zygote.pid}/smaps_rollup").read_text("ascii")
    finally:
        await grader.close()
    huge_kb = int(re.search(r"AnonHugePages:\s+(\d+)", sums).group(1))  # type: ignore[union-attr]
    assert huge_kb * 1024 >= hugepages.SIZE


def test_this_process_goes_on_when_a_move_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(start: int, end: int) -> None:
        raise OSError(1, "mremap: not here")

    monkeypatch.setattr(hugepages, "_move", refuse)
    before = os.getpid()
    assert hugepages.move_code() == 0
    assert os.getpid() == before
