"""Inputs that go to a candidate in one message, and the answers compared as they come back."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import isfinite
from typing import Any

from trueval.grade.sandbox import codec, wire
from trueval.grade.sandbox.endings import HarnessError
from trueval.grade.sandbox.session import Session
from trueval.grade.sandbox.texts import shown, shown_call

RTOL = 1e-7
FLOAT_ATOL = 1e-6
"""What EvalPlus allows a float to be off where its data say 0."""
_NUMBERS = (int, float, complex)


class WrongAnswerError(AssertionError):
    """An answer is not the expected one."""


class Answers:
    """The inputs of one problem, ready to be sent, and what its answers have to be."""

    def __init__(self, inputs: tuple[Any, Any, float, str]) -> None:
        args, self.expected, self._atol, self._oracle = inputs
        self._calls = [codec.dumps_args(call, {}) for call in args]
        self._batch = b"".join(map(wire.packed, self._calls))
        self._at = 0
        self._is_right = self._rule()

    def expect(self, session: Session) -> None:
        """Take what the program in `session`, which is the canonical one, returns as expected."""
        expected = []
        for reply in session.each_reply(self._batch, len(self._calls)):
            value = session.value_of(reply)
            if self._oracle == "not-none":
                value = _is_something(value)
            elif isinstance(value, codec.Opaque):
                raise HarnessError(f"what it returns is not data but {value!r}")
            expected.append(value)
        self.expected = tuple(expected)

    def hold(self, session: Session) -> None:
        """Compare each answer as it comes. Raises at the first that is wrong, or none."""
        random.seed(0)
        is_right, self._at = self._is_right, 0
        for reply in session.each_reply(self._batch, len(self._calls)):
            if not is_right(session.value_of(reply)):
                raise WrongAnswerError(f"wrong answer to input {self._at}")
            self._at += 1
            session.units_held += 1
        session.value_of(session.ask(wire.SYNC))  # answers made ahead of an early end are none

    def failing(self, name: str) -> tuple[str, str]:
        """The call that is being compared, and what it should return; empty after the last."""
        if self._at == len(self._calls):
            return "", ""
        args, kwargs = codec.loads_args(self._calls[self._at])
        expected = shown(self.expected[self._at]) if self.expected is not None else ""
        return shown_call(name, args, kwargs), expected

    def _rule(self) -> Callable[[Any], Any]:
        """Whether an answer to the present input is right."""
        if self._oracle == "equal":
            return self._is_equal
        if self._oracle == "set-equal":
            return lambda got: set(got) == set(self.expected[self._at])
        if self._oracle == "not-none":
            return lambda got: _is_something(got) == _is_something(self.expected[self._at])
        namespace: dict[str, Any] = {"__name__": "<oracle>"}
        exec(compile(self._oracle, "<oracle>", "exec", dont_inherit=True, optimize=0), namespace)
        check = namespace["check"]
        # Its own arguments each time, so that nothing it does to them is there for the next.
        return lambda got: check(
            codec.loads_args(self._calls[self._at])[0], self.expected[self._at], got
        )

    def _is_equal(self, got: Any) -> bool:
        expected = self.expected[self._at]
        return bool(got == expected) or is_close(got, expected, self._atol)


def is_close(got: Any, expected: Any, atol: float) -> bool:
    """Whether floats, also in nested sequences, are as near as EvalPlus asks them to be."""
    if not atol:
        if not _is_floats(expected):
            return False
        atol = FLOAT_ATOL
    return type(got) is type(expected) and _are_close(got, expected, atol)


def _is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(type(item) is float for item in value)
    return type(value) is float


def _are_close(got: Any, expected: Any, atol: float) -> bool:
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            return False
        return all(_are_close(a, b, atol) for a, b in zip(got, expected, strict=True))
    if got == expected:
        return True
    if not (isinstance(got, _NUMBERS) and isinstance(expected, _NUMBERS)):
        return False
    try:
        # An infinity is near to nothing but itself, which the formula would not say.
        far = abs(expected)
        return isfinite(far) and bool(abs(got - expected) <= atol + RTOL * far)
    except OverflowError:
        return False  # integers that no float can hold


def _is_something(value: Any) -> bool:
    return value if isinstance(value, bool) else value is not None
