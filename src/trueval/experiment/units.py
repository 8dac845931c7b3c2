"""A reference's test cut into units that are counted, so that a program can pass some of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from trueval.types import Reference, Style

MARK = "__candidate__.unit"
"""The statement that begins a unit in the style `asserts`; no test of a benchmark has it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A reference whose grade says how many of its units held."""

    reference: Reference
    count: int


def counted(reference: Reference) -> Counted | None:
    """The reference with a test that runs every unit, also after one that fails.

    One process judges them all, in turn. Inputs are units too, up to the first that is missed,
    where grading stops. None when there are not at least two units to be had.
    """
    test, count = _counted_test(reference.test, reference.entry_point, reference.style)
    if reference.inputs is not None:
        count += len(reference.inputs.args)
    return Counted(replace(reference, test=test), count) if count > 1 else None


@lru_cache(maxsize=8192)
def _counted_test(test: str, entry_point: str, style: Style) -> tuple[str, int]:
    """The test as one that counts, and how many units it has: as it is, and 0, in one piece."""
    units = units_of(test, entry_point, style)
    if not units:
        return test, 0
    if style == "asserts":
        return "\n".join(f"{MARK}\n{unit}" for unit in units), len(units)
    tree = ast.parse(test)
    check = _check_of(tree)
    assert check is not None
    steps: list[ast.stmt] = []
    for number, unit in enumerate(units):
        part = _check_of(ast.parse(unit))
        assert part is not None
        part.name = f"__unit_{number}"
        # In `check` itself, where it takes no name of the test's.
        steps += [part, *ast.parse(f"{check.args.args[0].arg}.unit({part.name})").body]
    check.body = steps
    return ast.unparse(ast.fix_missing_locations(tree)), len(units)


@lru_cache(maxsize=8192)
def units_of(test: str, entry_point: str, style: Style = "check") -> tuple[str, ...]:
    """Tests of one assert each; none when there are not at least two to be had.

    An assert stands at the top level of `check(candidate)`, or of a test in the style `asserts`; a
    loop or a block that holds asserts is one unit. Each unit keeps the statements before it that
    are no asserts. An assert that calls nothing of the program's (`assert True`, or whether an
    argument was changed) belongs to the unit before it: alone it would be held by every program.
    """
    try:
        tree = ast.parse(test)
        around = _around(tree, style)
        if around is None:
            return ()
        names = {entry_point} if isinstance(around, ast.Module) else {around.args.args[0].arg}
        owners = _owners(around.body, frozenset({entry_point, *names}))
        count = max((owner for owner in owners if owner is not None), default=-1) + 1
        if count < 2:
            return ()
        body = around.body
        found = []
        for unit in range(count):
            around.body = list(_kept(body, owners, unit))
            found.append(ast.unparse(tree))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(found)


def _around(tree: ast.Module, style: Style) -> ast.Module | ast.FunctionDef | None:
    """What the asserts of a test stand in."""
    if style == "asserts":
        return tree
    return _check_of(tree) if style == "check" else None


def _check_of(tree: ast.Module) -> ast.FunctionDef | None:
    """The one `check(candidate)` of a test."""
    named = [node for node in tree.body if getattr(node, "name", None) == "check"]
    match named:
        case [ast.FunctionDef(args=ast.arguments(args=[_]), decorator_list=[]) as check]:
            return check
    return None


def _owners(body: list[ast.stmt], program: frozenset[str]) -> list[int | None]:
    """For each statement the number of its unit; None for one that every later unit needs.

    `program`: what the program is called.
    """
    theirs = set(program)
    owners: list[int | None] = []
    last: int | None = None
    for statement in body:
        if not _judges(statement, theirs, program):
            owners.append(None)
            if _mentions(statement, theirs):  # what it stores is the program's work
                theirs |= set(_stored(statement))
            continue
        if _mentions(statement, theirs):
            last = 0 if last is None else last + 1
        owners.append(last)
    return owners


def _kept(body: list[ast.stmt], owners: list[int | None], unit: int) -> Iterator[ast.stmt]:
    end = max(index for index, owner in enumerate(owners) if owner == unit)
    for statement, owner in zip(body[: end + 1], owners, strict=False):
        if owner is None or owner == unit:
            yield statement


def _judges(statement: ast.stmt, theirs: set[str], program: frozenset[str]) -> bool:
    """Whether it asserts, itself or by calling what does (`assert_close(candidate(1), 2)`)."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, ast.Assert):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        bare = isinstance(called, ast.Name) and called.id in program
        return not bare and _mentions(statement, theirs)
    return any(_judges(inner, theirs, program) for inner in _statements_in(statement))


def _statements_in(statement: ast.stmt) -> Iterator[ast.stmt]:
    for inner in ast.iter_child_nodes(statement):
        if isinstance(inner, ast.stmt):
            yield inner
        elif isinstance(inner, ast.ExceptHandler | ast.match_case):
            yield from inner.body


def _mentions(statement: ast.stmt, names: set[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(statement))


def _stored(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
