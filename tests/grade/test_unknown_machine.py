"""Linux on a machine whose system calls are not known here: level bare works, and only that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trueval

GRADE = """
import asyncio, sys
from trueval.errors import InfraError
from trueval.grade.functional import FunctionalGrader
from trueval.types import Program, Reference

TEST = "def check(candidate):\\n    assert candidate(1) == 2\\n"
REFERENCE = Reference(problem_id="p", entry_point="f", test=TEST, canonical_solution="")
SOURCES = ("def f(x): return x + 1", "def f(x): return x", "import os\\ndef f(x): os._exit(3)")

async def main():
    grader = FunctionalGrader(workers=1, isolation=sys.argv[1])
    try:
        await grader.open()
    except InfraError as error:
        return print(error)
    for source in SOURCES:
        print((await grader.grade(Program(source=source), REFERENCE)).verdict)
    await grader.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no call is known anyhow")
@pytest.mark.parametrize(
    ("level", "said"),
    [("bare", "passed\nwrong\ncrashed"), ("auto", "level bare must be asked for")],
)
def test_bare_needs_no_call_by_number(tmp_path: Path, level: str, said: str) -> None:
    shutil.copytree(Path(trueval.__file__).parent, tmp_path / "trueval")
    calls = tmp_path / "trueval/grade/sandbox/syscalls.py"
    known = calls.read_text("utf-8")
    unknown = known.replace('"x86_64": ', '"other": ').replace('"aarch64": ', '"another": ')
    assert unknown != known
    calls.write_text(unknown, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", GRADE, level],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.fspath(tmp_path)},
    )
    assert said in done.stdout, done.stdout + done.stderr
