"""A reference's test cut into smaller ones, so that a program can pass some of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from trueval.types import Reference


@lru_cache(maxsize=8192)
def units_of(test: str, entry_point: str) -> tuple[str, ...]:
    """Tests of one assert each; none when there are not at least two to be had.

    An assert stands at the top level of `check(candidate)`; a loop or a block that holds asserts is
    one unit. Each unit keeps the statements before it that are no asserts. An assert that calls
    nothing of the program's (`assert True`, or whether an argument was changed) belongs to the
    unit before it: alone it would be held by every program.
    """
    try:
        tree = ast.parse(test)
        check = _check_of(tree)
        if check is None:
            return ()
        owners = _owners(check, entry_point)
        count = max((owner for owner in owners if owner is not None), default=-1) + 1
        if count < 2:
            return ()
        body = check.body
        found = []
        for unit in range(count):
            check.body = list(_kept(body, owners, unit))
            found.append(ast.unparse(tree))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(found)


def units(reference: Reference) -> tuple[str, ...]:
    """`units_of` a reference."""
    return units_of(reference.test, reference.entry_point)


def _check_of(tree: ast.Module) -> ast.FunctionDef | None:
    """The one `check(candidate)` of a test."""
    named = [node for node in tree.body if getattr(node, "name", None) == "check"]
    match named:
        case [ast.FunctionDef(args=ast.arguments(args=[_]), decorator_list=[]) as check]:
            return check
    return None


def _owners(check: ast.FunctionDef, entry_point: str) -> list[int | None]:
    """For each statement the number of its unit; None for one that every later unit needs."""
    program = frozenset({check.args.args[0].arg, entry_point})
    theirs = set(program)
    owners: list[int | None] = []
    last: int | None = None
    for statement in check.body:
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
