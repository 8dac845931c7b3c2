"""Workers run the code that they are sent, and compile none."""

from __future__ import annotations

import asyncio
import marshal
import os
import shutil
from pathlib import Path

import pytest

from trueval.grade.functional import FunctionalGrader
from trueval.grade.sandbox import client, sources
from trueval.types import Grade, Program, Reference

REFERENCE = Reference(
    problem_id="p",
    entry_point="f",
    test="def check(candidate):\n    assert candidate(1) == 2\n",
    canonical_solution="",
)


def second_frame(frames: bytes) -> tuple[dict[str, object], dict[str, tuple[int, int]], bytes]:
    """Settings, where each module's code is, and all code."""
    rest = frames[4 + int.from_bytes(frames[:4], "big") + 4 :]
    end = 4 + int.from_bytes(rest[:4], "big")
    settings, places = marshal.loads(rest[4:end])
    return settings, places, rest[end:]


def test_every_module_is_there_and_says_where_it_is_from() -> None:
    frames = sources.first_frames({"level": "full"})
    first = 4 + int.from_bytes(frames[:4], "big")
    assert marshal.loads(frames[4:first]).co_filename == os.fspath(sources.FOLDER / "sent.py")
    settings, places, code = second_frame(frames)
    assert settings == {"level": "full"}
    assert {f"{name.rpartition('.')[2]}.py" for name in places} == {
        path.name for path in sources.FOLDER.glob("*.py") if path.name != "boot.py"
    }
    for name, (low, high) in places.items():
        module = marshal.loads(code[low:high])
        assert module.co_filename == os.fspath(sources.FOLDER / f"{name.rpartition('.')[2]}.py")


def test_what_copies_and_editors_leave_behind_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sent.py", "wire.py"):
        shutil.copy(sources.FOLDER / name, tmp_path / name)
    (tmp_path / "._wire.py").write_bytes(b"\0\5\26\7")
    (tmp_path / ".#wire.py").symlink_to("somebody@somewhere.1")
    monkeypatch.setattr(sources, "FOLDER", tmp_path)
    _, places, _ = second_frame(sources.first_frames({}))
    assert set(places) == {"trueval.grade.sandbox.sent", "trueval.grade.sandbox.wire"}


async def test_a_worker_needs_no_source_but_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    boot = tmp_path / "boot.py"
    shutil.copy(sources.BOOT, boot)
    monkeypatch.setattr(client, "BOOT", boot)
    grader = FunctionalGrader(workers=1)
    await grader.open()
    try:
        grades = await asyncio.gather(
            grader.grade(Program(source="def f(x): return x + 1"), REFERENCE),
            grader.grade(Program(source="def f(x): return x"), REFERENCE),
            grader.grade(Program(source="import trueval"), REFERENCE),
        )
    finally:
        await grader.close()
    assert [grade.verdict for grade in grades if isinstance(grade, Grade)] == [
        "passed",
        "wrong",
        "error",
    ]
