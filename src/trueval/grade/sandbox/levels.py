"""Which level of isolation this machine allows, found out by trying it in a throwaway process."""

# Runs by itself as well, where pathlib is too much.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import os
import sys
from typing import Any

_ALONE = """
import sys
def stand_in(name, folder):
    package = type(sys)(name)
    package.__path__ = [folder]
    sys.modules[name] = package
sandbox = sys.argv[1]
grade = sandbox.rpartition("/")[0]
stand_in("trueval", grade.rpartition("/")[0])
stand_in("trueval.grade", grade)
stand_in("trueval.grade.sandbox", sandbox)
"""
"""Start of a program that uses the sandbox's modules, and none of the packages around them."""


def probe(timeout_s: float = 5.0) -> dict[str, Any]:
    """What is possible here: `level` (the best), `mechanisms` (on, or why not), `why` not better.

    `level` is `bare` when nothing better works; that one must be asked for. Never raises for what
    the machine lacks, and changes nothing in the calling process.
    """
    import ast
    import subprocess  # not for the lean processes
    import tempfile

    code = _ALONE + "from trueval.grade.sandbox.levels import report\nreport(sys.argv[2])\n"
    with tempfile.TemporaryDirectory(prefix="trueval-probe-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101
        sandbox = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100
        command = [sys.executable, "-s", "-S", "-P", "-c", code, sandbox]
        try:
            done = subprocess.run(
                [*command, os.path.join(folder, "work")],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=True,
            )
            found: dict[str, Any] = ast.literal_eval(done.stdout.decode())
        except (subprocess.SubprocessError, OSError, ValueError, SyntaxError) as error:
            return {"level": "bare", "mechanisms": {}, "why": [f"the probe failed: {error!r}"]}
    return found


def report(scratch: str) -> None:
    """Try each level, best first, and print what `probe` returns."""
    from trueval.grade.sandbox.jail import LEVELS, trial

    settings = {"memory_mb": 1024, "timeout_s": 3.0, "background": False, "scratch": scratch}
    why: list[str] = []
    for level in LEVELS:
        reason, described = trial({**settings, "level": level})
        if not reason:
            answer = {"level": level, "mechanisms": described.get("mechanisms", {}), "why": why}
            print(repr(answer))
            return
        why.append(f"{level}: {reason}")
    print(repr({"level": "bare", "mechanisms": {}, "why": why}))
