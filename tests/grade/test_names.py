"""Which names a statement takes, binds, changes and fills."""

from __future__ import annotations

import ast

import pytest

from trueval.grade.sandbox import names


def parsed(source: str) -> ast.stmt:
    [statement] = ast.parse(source).body
    return statement


@pytest.mark.parametrize(
    ("source", "free", "binds", "changes"),
    [
        ("x = y", "y", "x", "x"),
        ("x += y", "y", "x", "x"),
        ("t.add(n)", "t n", "", "t n"),
        ("x[i] = y", "x i y", "", "x i"),
        ("del x[0]", "x", "", "x"),
        ("x.a = f(y)", "x f y", "", "x f y"),
        ("print(len(n))", "print len n", "", "n"),
        ("import os.path as p, re", "", "p re", "p re"),
        ("def g(a): return a + b", "b", "g", "g"),
        ("for i in r:\n    s.append(i)", "r s i", "i", "i s"),
        ("y = [a for a in b]", "b", "y a", "y a"),
        ("y = f(v, lambda v, w=u: v + w)", "f v u", "y", "y f v w u"),
        ("y = [a for a in a]", "a", "y a", "y a"),
        ("y = {a: c for a in b for c in a if d}", "b d", "y a c", "y a c"),
        ("def g(a: A = z) -> R:\n    c = a + b\n    return c", "A z R b", "g", "g"),
    ],
)
def test_names_of_a_statement(source: str, free: str, binds: str, changes: str) -> None:
    node = parsed(source)
    assert names.free(node) == set(free.split())
    assert names.binds(node) == set(binds.split())
    assert names.changes(node) == set(changes.split())


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("ns.append(N(1))", "ns"),
        ("t.left.kids[0] = N(1)", "t"),
        ("heapq.heappush(h, N(1))", "h N"),
        ("fill(h, N(1))", "h N"),
        ("x = N(1)", ""),
    ],
)
def test_what_a_statement_puts_something_into(source: str, filled: str) -> None:
    assert names.filled(parsed(source), frozenset({"heapq"})) == set(filled.split())
