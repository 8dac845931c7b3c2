"""`unittest` suites, inside a candidate: program and tests in one module, as BigCodeBench has it.

Lower trust: a program can read its tests and change what they call. What is done against it: the
suite's own machinery is put back as it was before the program ran, a skip that the program raised
is a failure, a suite that ran no test has not passed, and the report needs a secret that arrives
only once the tests have ended.
"""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from trueval.grade.sandbox import official

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType

    from trueval.grade.sandbox.candidate import Line

MODULE = "__test__"
NO_TESTS = b"N"
_PROGRAM_FILE = "<program>"


def run(line: Line, request: bytes, compiled: Callable[[bytes], CodeType]) -> NoReturn:
    """Run the program, then its test cases, and report with the secret. Never returns."""
    import unittest

    with_mock, may_skip = bool(request[0] & 1), bool(request[0] & 2)
    if with_mock:
        import unittest.mock
    # All of it before the program is here, and in names that only this call has.
    vars(unittest.case)["_ShouldStop"] = ()  # raised, it would end a test as passed
    machinery, result = _Machinery(), _result(unittest.TestResult, may_skip)
    load, suite, case = unittest.TestLoader(), unittest.TestSuite(), unittest.TestCase
    module = sys.modules[MODULE] = type(sys)(MODULE)
    line.receive()
    outcome = official.outcome_of(lambda: exec(compiled(request[1:]), vars(module)))
    if outcome == official.PASSED:
        line.send(official.PASSED)
        test = line.receive().decode("utf-8", "surrogatepass")
        machinery.put_back()
        module.__name__, sys.modules[MODULE] = MODULE, module
        before = dict(vars(module))
        outcome = official.outcome_of(lambda: exec(official.compiled_test(test), vars(module)))
        if outcome == official.PASSED:
            for found in _made_since(before, module, case):
                suite.addTests(load.loadTestsFromTestCase(found))
            outcome = official.outcome_of(lambda: suite.run(result))
        if outcome == official.PASSED:
            outcome = result.outcome or (official.PASSED if result.held else _NOTHING_RAN)
    if outcome[:1] == official.OUT_OF_MEMORY:
        vars(module).clear()
    official.report(line, outcome)


def asked_of(test: str) -> bytes:
    """What begins the request: whether the tests use `unittest.mock`, which takes longer to import,
    and whether they may skip anything.
    """
    return bytes(((("mock" in test) + 2 * ("skip" in test.lower())),))


_NOTHING_RAN = NO_TESTS + b"no test of the suite ran"


def _made_since(before: dict[str, Any], module: ModuleType, case: type) -> list[Any]:
    """The test cases that the tests define. Those of the program do not count."""
    return [
        value
        for name, value in vars(module).items()
        if before.get(name) is not value
        and isinstance(value, type)
        and issubclass(value, case)
        and value.__module__ == MODULE
    ]


def _result(base: Any, may_skip: bool) -> Any:
    """A test result that keeps the first failure, as an outcome, and stops at it.

    Where tests that speak of no skip are skipped, the program did it.
    """

    class Result(base):  # type: ignore[misc]
        outcome = b""
        held = 0
        """Tests that ran and passed."""

        def addSuccess(self, test: Any) -> None:  # noqa: ARG002
            self.held += 1

        def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: ARG002
            self.held += 1

        def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: ARG002
            self.fails(official.WRONG + b"AssertionError: unexpected success")

        def addError(self, test: Any, err: Any) -> None:  # noqa: ARG002
            self.fails(official.described(err[1], is_wrong=False))

        def addFailure(self, test: Any, err: Any) -> None:  # noqa: ARG002
            its_own = official.files_of(err[1])[-1:] == [_PROGRAM_FILE]
            self.fails(official.described(err[1], is_wrong=not its_own))

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                kind = issubclass(err[0], test.failureException)
                (self.addFailure if kind else self.addError)(subtest, err)

        def addSkip(self, test: Any, reason: str) -> None:  # noqa: ARG002
            raised = sys.exc_info()[1]
            if raised is not None and not (
                may_skip and _PROGRAM_FILE not in official.files_of(raised)
            ):
                self.fails(official.described(raised, is_wrong=False))

        def fails(self, outcome: bytes) -> None:
            self.outcome = self.outcome or outcome
            self.shouldStop = True

    return Result()


class _Machinery:
    """What tests run on, as it is now: `unittest` with its classes and functions, and builtins."""

    def __init__(self) -> None:
        names = [name for name in sys.modules if name.partition(".")[0] == "unittest"]
        self._modules = {name: sys.modules[name] for name in names}
        spaces = [vars(module) for module in self._modules.values()]
        self._spaces = [(space, dict(space)) for space in (*spaces, vars(builtins))]
        classes = {value for space in spaces for value in space.values() if _is_theirs(value)}
        self._classes = [(found, dict(vars(found))) for found in classes]
        values = [value for _, kept in (*self._spaces, *self._classes) for value in kept.values()]
        functions = [value for value in values if isinstance(value, _FUNCTION)]
        self._functions = [(one, one.__code__, one.__defaults__) for one in functions]

    def put_back(self) -> None:
        """Undo what was changed since."""
        sys.modules.update(self._modules)
        for space, kept in self._spaces:
            # In place, and never empty: this loop itself needs builtins.
            space.update(kept)
        for found, kept in self._classes:
            for name in [name for name in vars(found) if name not in kept]:
                delattr(found, name)
            for name, value in kept.items():
                if vars(found).get(name) is not value:
                    setattr(found, name, value)
        for function, code, defaults in self._functions:
            function.__code__, function.__defaults__ = code, defaults


def _is_theirs(value: Any) -> bool:
    home = getattr(value, "__module__", None)
    return isinstance(value, type) and str(home).partition(".")[0] == "unittest"


_FUNCTION = type(_is_theirs)
