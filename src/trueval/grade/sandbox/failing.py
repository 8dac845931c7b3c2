"""The call at which a test failed, for people: what was asked, expected and answered.

It is looked for only where a program has failed, never raises, and nothing decides by it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from trueval.grade.sandbox import codec, raising, wire
from trueval.grade.sandbox.session import Session
from trueval.grade.sandbox.texts import one_line, shown, shown_call

TEST_FILE = "<test>"
HOLE = "…"
_OPERATORS = {
    ast.Eq: "",
    ast.Is: "",
    ast.NotEq: "!= ",
    ast.IsNot: "is not ",
    ast.Lt: "< ",
    ast.LtE: "<= ",
    ast.Gt: "> ",
    ast.GtE: ">= ",
    ast.In: "in ",
    ast.NotIn: "not in ",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one assert expects of the call in it."""

    text: str
    """What stands before the value: nothing for `candidate(1) == 2`."""
    value: CodeType | None
    """The other side of the comparison; None where `text` says it all."""


class Expectations:
    """What each assert of a test expects, found when it fails for the first time."""

    def __init__(self, source: str, names: Collection[str]) -> None:
        self._source, self._names = source, frozenset(names)
        self._asserts: list[ast.Assert] | None = None
        self._known: dict[int, Expectation | None] = {}

    def expected(self, error: BaseException) -> str:
        """What the assert expected at which `error` was raised; empty when it does not say."""
        try:
            for frame, line in reversed(_frames(error)):
                if line not in self._known:
                    self._known[line] = self._at(line)
                if (found := self._known[line]) is not None:
                    return _text(found, frame)
        except BaseException:  # `within` knows of a TooSlowError, whoever catches it
            return ""
        return ""

    def _at(self, line: int) -> Expectation | None:
        if self._asserts is None:
            tree = ast.parse(self._source)
            self._asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args:
                    self._names |= {node.args.args[0].arg}
        for node in self._asserts:
            if node.lineno <= line <= (node.end_lineno or node.lineno):
                return _of_assert(node.test, self._names)
        return None


def answered(session: Session, name: str) -> tuple[str, str]:
    """The last call that was made, and what came of it."""
    try:
        if session.asked[:1] == wire.EVALUATE:
            call = one_line(session.asked[1:].decode())
        else:
            call = shown_call(name, *codec.loads_args(session.asked[1:]))
        return call, got(session.replied)
    except BaseException:
        return "", ""


def got(reply: bytes) -> str:
    """An answer as it crossed, in short."""
    kind = reply[:1]
    try:
        if kind == wire.VALUE:
            return shown(codec.decode(reply[1:]))
        if kind == wire.VALUE_AND_ARGUMENTS:
            return shown(codec.decode(reply[5 : 5 + int.from_bytes(reply[1:5], "big")]))
    except BaseException:
        return "no answer"
    if kind == wire.RAISED:
        return one_line(f"raised {raising.described(reply[1:])}")
    return {wire.NO_MEMORY: "raised MemoryError", wire.EXITED: "raised SystemExit"}.get(kind, "")


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames of the test's that an exception came through, with their lines."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == TEST_FILE:
            frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return frames


def _text(found: Expectation, frame: FrameType) -> str:
    if found.value is None:
        return one_line(found.text)
    value = eval(found.value, {**frame.f_globals, **frame.f_locals})
    return one_line(found.text + shown(value))


def _of_assert(test: ast.expr, names: Collection[str]) -> Expectation | None:
    match test:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            sign = _OPERATORS[type(operator)]
            if _mentions(left, names) and not _mentions(right, names):
                return _comparison(left, sign, right, names)
            # Only where the sign reads the same from both sides.
            if sign.strip() in ("", "!=") and not _mentions(left, names):
                return _comparison(right, sign, left, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if _is_call(operand, names):
            return Expectation("a false value", None)
        case _ if _is_call(test, names):
            return Expectation("a true value", None)
    return Expectation(_shape(test, names), None) if _mentions(test, names) else None


def _comparison(
    side: ast.expr, sign: str, other: ast.expr, names: Collection[str]
) -> Expectation | None:
    if not _mentions(side, names):
        return None
    value = compile(ast.Expression(other), TEST_FILE, "eval", dont_inherit=True)
    if _is_call(side, names):
        return Expectation(sign, value)
    return Expectation(f"{_shape(side, names)} {sign or '== '}", value)


def _is_call(node: ast.expr, names: Collection[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _mentions(node: ast.AST, names: Collection[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def _shape(node: ast.expr, names: Collection[str]) -> str:
    """An expression's source, with a hole for each call of the program."""

    class Holes(ast.NodeTransformer):
        def visit_Call(self, call: ast.Call) -> Any:
            return ast.Name(HOLE) if _is_call(call, names) else self.generic_visit(call)

    copy = ast.parse(ast.unparse(node), mode="eval").body
    return ast.unparse(Holes().visit(copy))
