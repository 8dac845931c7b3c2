"""Tests that are bare asserts, as MBPP has them: which part of each runs where.

A test runs here, with the stand-in under the entry point's name. What an argument needs of the
program's own (a class that it defines, an object that the test's set-up makes of it) is not here:
then the call alone, `f(Node(1))`, is evaluated beside the program, and so are the statements that
make what it needs. What the call is compared with never leaves.

A statement `__candidate__.unit` begins a unit, and one that fails does not stop the next
(`trueval.experiment.units` writes such tests).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import CodeType
from typing import Any, Protocol

from trueval.grade.sandbox import names
from trueval.grade.sandbox.endings import HarnessError, NotSentError, UnsupportedError

TEST_FILE = "<test>"
STAND_IN = "__candidate__"


class Candidate(Protocol):
    """What a test can ask of the program."""

    def execute(self, statements: str) -> None:
        """Run statements in the program's namespace."""

    def unit(self, judge: Callable[[Any], object]) -> None:
        """Run a unit, and count it if it holds."""


class BadTestError(ValueError):
    """The test cannot be run in this style."""


@dataclass(slots=True)
class Step:
    """One statement of a test."""

    node: ast.stmt
    rest: ast.stmt
    """It without its calls of the entry point."""
    free: frozenset[str]
    """Names that it takes from around it."""
    binds: frozenset[str]
    """Names that it gives a value."""
    changes: frozenset[str]
    """Names that it gives a value, or whose value it may change."""
    is_there: bool = False
    """It makes something of the program's own, and runs beside the program."""
    calls_there: bool = False
    """Its calls take something of the program's own."""
    here: CodeType | None = None
    there: CodeType | None = None
    """With its calls evaluated beside the program; None where that cannot be."""
    needs: tuple[int, ...] = ()
    """Statements that have to have run beside the program before."""

    @property
    def tells(self) -> frozenset[str]:
        """The names whose values the program learns when it is shipped: data, and made here."""
        return frozenset() if self.is_there or names.defines(self.node) else self.binds

    @property
    def source(self) -> str:
        """Its text. Raises `HarnessError` for an integer that Python does not write in decimals."""
        try:
            return ast.unparse(self.node)
        except ValueError as error:
            raise HarnessError(f"a statement of the test cannot be sent: {error}") from None


class Asserts:
    """A test as steps, each decided once."""

    def __init__(self, test: str, entry_point: str, prelude: str, solution: str) -> None:
        """`solution`: the canonical one; its imports are there for tests that lean on them."""
        self._entry = entry_point
        tree = ast.parse(test)
        starts = [place for place, node in enumerate(tree.body) if _begins_unit(node)]
        tree.body = [node for node in tree.body if not _begins_unit(node)]
        known = names.EVERYWHERE | {entry_point} | names.bound_by(_parsed(prelude).body)
        bound = known | names.bound_by(tree.body)
        wanted = set[str]().union(*map(names.free, tree.body)) - bound
        imports = [*_imports_for(wanted, _parsed(solution))]
        body = [*imports, *tree.body]
        # A mark was a statement too, and so each unit begins as many places earlier.
        starts = [len(imports) + place - marks for marks, place in enumerate(starts)]
        self._bounds = [0, *starts, len(body)]
        """Where units begin and end; up to the first mark, statements that are in none."""
        self._steps = [
            Step(
                node=node,
                rest=_without(node, entry_point),
                free=names.free(node),
                binds=names.binds(node),
                changes=names.changes(node),
            )
            for node in body
        ]
        made = names.bound_by(body)
        self._given = known - made
        """What is on both sides without a statement of the test."""
        self._held = known | names.imported(body)
        """What nothing of the program's own is put into."""
        self._kept = frozenset[str]().union(
            *(names.free(step.rest) for step in self._steps if _asserts(step.node))
        )
        """What answers are compared with: its value is made here alone."""
        foreign = wanted - made
        if not any(_asserts(step.node) for step in self._steps):
            raise BadTestError("there is no assert")
        for place, step in enumerate(self._steps):
            self._place(place, step, foreign)

    def run(self, namespace: dict[str, Any], candidate: Candidate) -> None:
        """Run every step. Raises whatever they raise."""
        namespace[STAND_IN] = candidate
        shipped: set[int] = set()
        for unit, (start, end) in enumerate(pairwise(self._bounds)):
            run = partial(self._run, range(start, end), namespace, shipped)
            if unit:
                candidate.unit(run)
            else:
                run(candidate)

    def _run(
        self, places: range, namespace: dict[str, Any], shipped: set[int], candidate: Candidate
    ) -> None:
        for place in places:
            step = self._steps[place]
            if step.is_there:
                self._ship((*step.needs, place), shipped, candidate)
                continue
            if not step.calls_there and step.here is not None:
                try:
                    exec(step.here, namespace)
                    continue
                except (NotSentError, UnsupportedError):
                    if step.there is None:
                        raise
            if step.there is None:
                raise HarnessError(f"a test passes what only the program has: {step.source[:80]}")
            self._ship(step.needs, shipped, candidate)
            exec(step.there, namespace)

    def _place(self, place: int, step: Step, foreign: set[str]) -> None:
        """Decide where a step runs, and what of it is shipped."""
        node = step.node
        if not _asserts(node) and step.free & foreign:
            step.is_there = True
            # Also what it gives a new value: an earlier one must not be shipped behind it.
            step.needs = self._needed(step.free | step.binds, place)
            foreign |= step.binds | (names.filled(node, self._held) - self._held)
            return
        calls = _calls(node, self._entry)
        inside = frozenset[str]().union(*map(names.free, calls))
        step.calls_there = bool(inside & foreign)
        if outside := names.free(step.rest) & foreign:
            name = min(outside)
            raise BadTestError(f"an assert needs {name!r}, which neither it nor the tests define")
        step.here = _compiled(_Truths(self._entry).visit(copy.deepcopy(node)))
        # A call that takes names of a scope which it stands in makes no sense alone.
        if isinstance(node, ast.Assert) and not inside & names.of_inner_scopes(step.rest):
            step.needs = self._needed(inside, place)
            self._place_there(step)

    def _place_there(self, step: Step) -> None:
        """Have an assert's calls evaluated beside the program, if that tells it nothing."""
        told = frozenset[str]().union(*(self._steps[place].tells for place in step.needs))
        if not told & self._kept:
            with contextlib.suppress(ValueError):  # an integer that Python does not write
                step.there = _compiled(_Remote(self._entry).visit(copy.deepcopy(step.node)))
        elif step.calls_there:
            name = min(told & self._kept)
            raise BadTestError(f"{name!r} would be told to the program, and is compared with")

    def _needed(self, needed: Iterable[str], before: int) -> tuple[int, ...]:
        """The statements that make what these names stand for, in their order."""
        wanted, found, before_that = set(needed), set[int](), -1
        while len(found) > before_that:  # what was put into an object may be changed later
            before_that = len(found)
            for place in range(before - 1, -1, -1):
                step = self._steps[place]
                if step.changes & wanted and not _asserts(step.node):
                    found.add(place)
                    wanted |= step.free - self._given
        return tuple(sorted(found))

    def _ship(self, places: Iterable[int], shipped: set[int], candidate: Candidate) -> None:
        owed = [place for place in places if place not in shipped]
        shipped.update(owed)
        if owed:
            candidate.execute("\n".join(self._steps[place].source for place in owed))


class _Truths(ast.NodeTransformer):
    """`assert f(x)` asks for no more than whether the answer is true: that much of any answer,
    also of a match object, is data."""

    def __init__(self, entry: str) -> None:
        self._entry = entry

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        call = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
        negates = not isinstance(node.test, ast.UnaryOp) or isinstance(node.test.op, ast.Not)
        if negates and _is_call(call, self._entry):
            assert isinstance(call, ast.Call)
            call.func = _attribute(call.func, "truth")
        return node


class _Remote(ast.NodeTransformer):
    """Each call of the program as an expression that is evaluated beside it."""

    def __init__(self, entry: str) -> None:
        self._entry = entry

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        if _is_call(node.test, self._entry):
            node.test = _evaluated(node.test, "bool({})")
        elif isinstance(node.test, ast.UnaryOp) and _is_call(node.test.operand, self._entry):
            node.test.operand = _evaluated(node.test.operand, "bool({})")
        node.test = self.visit(node.test)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _is_call(node, self._entry):
            return _evaluated(node, "{}")
        return self.generic_visit(node)


def _evaluated(call: ast.expr, pattern: str) -> ast.expr:
    source = ast.Constant(pattern.format(ast.unparse(call)))
    remote = ast.Call(_attribute(call, "evaluate"), [source], [])
    return ast.fix_missing_locations(ast.copy_location(remote, call))


def _attribute(at: ast.expr, name: str) -> ast.expr:
    stand_in = ast.Attribute(ast.Name(STAND_IN, ast.Load()), name, ast.Load())
    return ast.fix_missing_locations(ast.copy_location(stand_in, at))


def _compiled(node: ast.stmt) -> CodeType:
    # optimize=0: under `python -O` every assert would vanish, and every program pass.
    tree = ast.Module([node], [])
    return compile(tree, TEST_FILE, "exec", dont_inherit=True, optimize=0)


def _parsed(source: str) -> ast.Module:
    for text in (source, source + "\n    pass"):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            continue  # an unfinished prompt, or plain text
    return ast.Module([], [])


def _imports_for(wanted: set[str], solution: ast.Module) -> Iterator[ast.stmt]:
    """Imports of what tests use and do not import: the solution's own, or of a standard module."""
    for node in solution.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if names.of_alias(alias) in wanted:
                    single = copy.copy(node)
                    single.names = [alias]
                    wanted = wanted - {names.of_alias(alias)}
                    yield single
    for name in sorted(wanted & sys.stdlib_module_names):
        yield ast.fix_missing_locations(ast.Import([ast.alias(name)], lineno=1, col_offset=0))


def _calls(node: ast.AST, entry: str) -> list[ast.Call]:
    """The outermost calls of the entry point."""
    if isinstance(node, ast.Call) and _is_call(node, entry):
        return [node]
    return [call for part in ast.iter_child_nodes(node) for call in _calls(part, entry)]


def _is_call(node: ast.AST, entry: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry


def _without(node: ast.stmt, entry: str) -> ast.stmt:
    """The statement with each call of the entry point as a constant."""

    class Blank(ast.NodeTransformer):
        def visit_Call(self, call: ast.Call) -> ast.AST:
            return ast.Constant(None) if _is_call(call, entry) else self.generic_visit(call)

    blank: ast.stmt = Blank().visit(copy.deepcopy(node))
    return blank


def _begins_unit(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Attribute(ast.Name(id=name), "unit")):
            return name == STAND_IN
    return False


def _asserts(node: ast.stmt) -> bool:
    return any(isinstance(part, ast.Assert) for part in ast.walk(node))
