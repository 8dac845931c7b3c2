"""What a test will ask of a program, found out before there is one.

Most tests ask the same of every program, as they stop at the first answer that is wrong. Asked for
all at once, a program and the test need not wait for each other at each call. What was foreseen is
compared with what is asked, byte by byte, so a wrong guess costs time and changes no verdict.
"""

from __future__ import annotations

from typing import Any

from trueval.grade.sandbox import wire
from trueval.grade.sandbox.codec_common import NotData
from trueval.grade.sandbox.endings import NotSentError
from trueval.grade.sandbox.references import call_request

MOST_REQUESTS, MOST_BYTES = 64, 32 * 1024
"""As many as pay; and so few bytes that they fit the socket's buffer, beside a program."""
MOST_LOOKS = 1000
"""At answers: a loop that goes on for as long as they agree has no end."""
CPU_S = 0.05
"""A test that takes longer to get to its calls does not get faster by them."""


class EnoughError(BaseException):
    """The rest of a test is not foreseen."""


class Agreeable:
    """An answer that is what any test wants it to be, as far as a plain value can be."""

    def __init__(self) -> None:
        self._looks = 0

    def _agrees(self, *_: object) -> bool:
        self._looks += 1
        if self._looks > MOST_LOOKS:
            raise EnoughError
        return True

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _agrees
    __bool__ = _agrees

    def __hash__(self) -> int:
        return 0

    def _as_it_is(self, *_: object) -> Agreeable:
        self._agrees()
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _as_it_is
    __truediv__ = __rtruediv__ = __abs__ = __neg__ = __round__ = __getitem__ = _as_it_is


class Listener:
    """Stands where a session stands, agrees, and notes what it is asked."""

    over = None

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.units_held = 0
        self._bytes = 0
        self._answer = Agreeable()

    def ask(self, request: bytes) -> bytes:
        """Note a request."""
        self._bytes += len(request)
        if len(self.requests) == MOST_REQUESTS or self._bytes > MOST_BYTES:
            raise EnoughError
        self.requests.append(request)
        return wire.VALUE

    def value_of(self, _reply: bytes) -> Agreeable:
        """The answer, whatever was asked."""
        return self._answer

    def evaluate(self, expression: str) -> Agreeable:
        """Note an expression."""
        return self.value_of(self.ask(wire.EVALUATE + expression.encode()))

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], wrap: bytes = b"") -> Agreeable:
        """Note a call as it would be sent."""
        try:
            request = call_request(args, kwargs)
        except NotData as error:  # then a test may have another way
            raise NotSentError(str(error)) from None
        return self.value_of(self.ask(wrap + request))
