"""The official way to grade, inside a candidate: program and tests in one namespace.

For parity with published scores, and for nothing else: a program can read its tests, and change
what they call. That it ends early, prints, or leaves by an exit code does not pass even here, as
a pass needs a secret that arrives only once the tests have ended.
"""

from __future__ import annotations

import sys
from posix import _exit
from typing import TYPE_CHECKING, Any, NoReturn

from trueval.grade.sandbox import wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from trueval.grade.sandbox.candidate import Line

TEST_FILE = "<test>"
PASSED, WRONG, ERROR, OUT_OF_MEMORY, EXITED = b"P", b"W", b"E", b"M", b"X"


def run(line: Line, source: bytes, compiled: Callable[[bytes], CodeType]) -> NoReturn:
    """Run the program, then its tests, and report with the secret. Never returns."""
    namespace: dict[str, Any] = {}
    line.receive()
    outcome = outcome_of(lambda: exec(compiled(source), namespace))
    if outcome == PASSED:
        line.send(PASSED)
        test = line.receive().decode("utf-8", "surrogatepass")
        outcome = outcome_of(lambda: exec(compiled_test(test), namespace))
    if outcome[:1] == OUT_OF_MEMORY:
        namespace.clear()
    report(line, outcome)


def compiled_test(test: str) -> CodeType:
    """The tests' code, under a name by which their frames are known."""
    return compile(test, TEST_FILE, "exec", dont_inherit=True, optimize=0)


def outcome_of(action: Callable[[], object]) -> bytes:
    """A letter for how `action` ended, and the exception if it raised one."""
    try:
        action()
    except BaseException as error:
        return described(error, is_wrong=_is_a_failed_test(error))
    return PASSED


def report(line: Line, outcome: bytes) -> NoReturn:
    """Tell the outcome with the secret, and end the process."""
    sys.settrace(None)
    # Only now: until here the secret is not in this process at all.
    line.send(wire.DONE)
    line.send(line.receive() + outcome)
    _exit(0)


def described(error: BaseException, *, is_wrong: bool) -> bytes:
    """An exception as an outcome. `is_wrong`: it is a test's, and says that the answer was."""
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY + b"MemoryError"
    if isinstance(error, SystemExit):
        return EXITED + b"exit before the tests ended"
    letter = WRONG if is_wrong else ERROR
    try:
        name, text = type(error).__name__, str(error)[:500]
        detail = f"{name}: {text}" if text else name
        return letter + detail.encode("utf-8", "backslashreplace")
    except BaseException:  # an exception whose own text raises
        return letter + b"an exception that cannot be shown"


def _is_a_failed_test(error: BaseException) -> bool:
    """Whether an `assert` of the tests failed, and not one of the program's own."""
    if not isinstance(error, AssertionError):
        return False
    return files_of(error)[-1:] == [TEST_FILE]


def files_of(error: BaseException) -> list[str]:
    """The file of each frame that an exception came through, the one that raised it last."""
    files, trace = [], error.__traceback__
    while trace is not None:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return files
