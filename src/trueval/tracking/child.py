"""The process that a tracker lives in: reads calls as JSON Lines, makes them, reports the end.

`python -m trueval.tracking.child MODULE:ATTRIBUTE FOLDER`, as `host.py` starts it. Manifest and
summary are read from the run's folder: a message is then short enough to be written in one go.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trueval.errors import TruevalError

ENDING_S = 60
"""A process that nobody waits for any more ends by then, whatever its tracker does."""


def main() -> None:
    """Serve one tracker until its run is finished, or the run's process is gone."""
    address, folder = sys.argv[1], Path(sys.argv[2])
    messages, report = _own_streams()
    try:
        outcome = _serve(address, folder, messages)
    except BaseException as error:
        outcome = {"error": _one_line(error)}
    signal.alarm(ENDING_S)
    os.write(report, json.dumps(outcome).encode())
    os.close(report)


def _serve(address: str, folder: Path, messages: Iterable[str]) -> dict[str, Any]:
    module, _, attribute = address.partition(":")
    tracker = getattr(importlib.import_module(module), attribute)()
    for line in messages:
        message = json.loads(line)
        match message["call"]:
            case "start":
                tracker.start(_read(folder / "manifest.json"))
            case "progress":
                tracker.progress(message["figures"])
            case "finish":
                tracker.finish(_read(folder / "estimates.json"), folder)
                return {"finished": True}
    # The run was cut off. Trackers close what they have as the interpreter ends.
    return {"finished": False}


def _own_streams() -> tuple[Iterable[str], int]:
    """The calls and where to report; what a tracker reads or prints is no part of either."""
    with contextlib.suppress(OSError):
        os.nice(10)  # Grading times programs on these cores.
    calls, report = os.dup(0), os.dup(1)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return os.fdopen(calls, encoding="utf-8"), report


def _read(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def _one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())[:300].rstrip(".")
    return said if isinstance(error, TruevalError) else f"{type(error).__name__}: {said}"


if __name__ == "__main__":
    main()
