"""One problem's tests, compiled once: in which style they are written, and how they are run."""

from __future__ import annotations

import builtins
import contextlib
import random
from collections.abc import Callable
from types import CodeType
from typing import Any

from trueval.grade.sandbox import wire
from trueval.grade.sandbox.answers import Answers
from trueval.grade.sandbox.asserts import Asserts
from trueval.grade.sandbox.endings import HarnessError
from trueval.grade.sandbox.failing import TEST_FILE, Expectations
from trueval.grade.sandbox.session import Session

_BUILTINS = vars(builtins)


class Suite:
    """Tests in the style `check`, or in none: then they run beside the program only."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """`spec`: what a grader says of a reference."""
        self.entry_point, self.source, self.style = spec["entry"], spec["test"], spec["style"]
        self.solution = spec["prelude"] + spec["solution"]
        """The canonical program, where it is needed."""
        self.broken = ""
        """Why the tests cannot be used, if they cannot."""
        self.answers: Answers | None = None
        self._asserts: Asserts | None = None
        self._code: CodeType | None = None
        self._space: dict[str, Any] = {}
        self._prelude = _compiled_prelude(spec["prelude"])
        self.expectations = Expectations(self.source, {self.entry_point})
        try:
            # optimize=0: under `python -O` every assert would vanish, and every program pass.
            code = compile(self.source, TEST_FILE, "exec", dont_inherit=True, optimize=0)
            if self.style == "asserts" and self.source:
                self._asserts = Asserts(
                    self.source, self.entry_point, spec["prelude"], spec["solution"]
                )
            elif self.source and self.style == "check":
                self._code = code
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.broken = f"they do not compile: {error}"
        if spec["inputs"]:
            try:
                self.answers = Answers(spec["inputs"])
            except Exception as error:
                self.broken = f"their inputs cannot be used: {error!r}"
        if not self.source and self.answers is None:
            self.broken = "there are none"

    def run(self, candidate: Proxy) -> None:
        """Run what runs here. Raises whatever it raises."""
        if self._code is not None or self._asserts is not None:
            self._space = self._namespace(candidate)
        if self._code is not None:
            exec(self._code, self._space)
            if "check" not in self._space:
                raise HarnessError("the tests define no check(candidate)")
            self._space["check"](candidate)
        elif self._asserts is not None:
            self._asserts.run(self._space, candidate)
        if self.answers is not None:
            candidate.compare(self.answers)
        candidate.settle()

    def forget(self) -> None:
        """Let go of all that the tests kept: functions of theirs would hold it, and they it."""
        self._space.clear()

    def _namespace(self, candidate: Proxy) -> dict[str, Any]:
        # Some tests draw inputs: let a program meet the same ones each time.
        random.seed(0)
        namespace: dict[str, Any] = {"__builtins__": _BUILTINS, "__name__": TEST_FILE}
        if self._prelude is not None:
            # A prompt need not run without what completes it: it gives what it can.
            with contextlib.suppress(Exception):
                exec(self._prelude, namespace)
        namespace[self.entry_point] = candidate
        return namespace


def _compiled_prelude(prelude: str) -> CodeType | None:
    for text in (prelude, prelude + "\n    pass") if prelude else ():
        try:
            return compile(text, "<prompt>", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            continue  # a prompt need not be a program; then it has no helpers to give
    return None


class Proxy:
    """What tests call `candidate`: each call runs in the candidate's process."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self.__name__ = self.__qualname__ = name
        self.compares = False
        """Whether it has come to the inputs."""
        self._missed = 0
        self._chance: Any = None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The program's answer to one call. Raises what the program raised."""
        return self._session.call(args, kwargs)

    def truth(self, /, *args: Any, **kwargs: Any) -> Any:
        """Whether the program's answer to one call is true, as the program has it."""
        return self._session.call(args, kwargs, wire.TRUTH)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the program's namespace, as plain data."""
        return self._session.evaluate(expression)

    def execute(self, statements: str) -> None:
        """Run statements in the program's namespace."""
        self._session.value_of(self._session.ask(wire.EXECUTE + statements.encode()))

    def compare(self, answers: Answers) -> None:
        """Have the program answer all inputs, and hold its answers against what is expected."""
        self.compares = True
        answers.hold(self._session)

    def unit(self, judge: Callable[[Proxy], object]) -> None:
        """Run one unit of a test and count it if it holds; if not, the next is run all the same.

        Raises what ended the candidate: units before are counted, and none after.
        """
        # Each draws what it would draw alone.
        if self._chance is None:
            self._chance = random.getstate()
        random.setstate(self._chance)
        held = False
        try:
            judge(self)
            held = True
        except (HarnessError, MemoryError):
            raise  # ours, or of the checker's limits: it says nothing of this unit alone
        except Exception:
            self._missed += 1
        if self._session.over is not None:  # also where the unit caught it
            raise self._session.over
        self._session.units_held += held

    def settle(self) -> None:
        """Raise what a test without units would have raised at the first that did not hold."""
        if self._missed:
            raise AssertionError(f"units that do not hold: {self._missed}")

    def close(self) -> None:
        """Answer no more: a call of a closed one raises."""
        del self._session
