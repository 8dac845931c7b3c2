"""The lint for Python files: post-processors, and modules of examples.

Comments, docstrings and names of a file's own are no leak: only what the program does with text is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from trueval.honesty.lint import LEAST_NAME, Finding, benchmark_names, lint_text, once
from trueval.honesty.lint_index import BenchmarkIndex, is_ordinary
from trueval.honesty.lint_source import parsed

ABOUT_A_PROBLEM = re.compile(r"entry_?point|problem|task_?id|func(tion)?_?name|fn_?name", re.I)
"""What code that decides by the problem compares with a name."""
GENERIC = frozenset({"solution", "solve", "candidate", "check", "main", "test"})
"""Entry points that programs use for any function at all."""

_DEFINITION = re.compile(r"\bdef\s+(?P<name>\w+)")


def lint_python(source: str, indexes: Sequence[BenchmarkIndex]) -> list[Finding]:
    """What a Python file knows of a benchmark: patches for one problem, and texts that leak."""
    tree = parsed(source)
    if tree is None:
        return lint_text(source, indexes)
    found: list[Finding] = []
    prose = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in prose:
            found += _constant(node, indexes)
        for each in indexes:
            found += _decisions(node, each)
            found += _tables(node, each)
    found += [item for item in lint_text(_code_only(source, tree), indexes) if _is_code(item)]
    return once(found)


def _constant(node: ast.Constant, indexes: Sequence[BenchmarkIndex]) -> Iterator[Finding]:
    value = node.value.decode("utf-8", "replace") if isinstance(node.value, bytes) else node.value
    if not isinstance(value, str):
        return
    for item in [*benchmark_names(value)] if "\n" not in value else lint_text(value, indexes):
        line = node.lineno + max(0, item.line - 1)
        yield Finding(code=item.code, message=item.message, line=line, problem_id=item.problem_id)
    for index in indexes:
        for name in _named(value, index):
            yield _patch(f"the text {value[:60]!r} holds {name}", name, index, node.lineno)


def _named(value: str, index: BenchmarkIndex) -> Iterator[str]:
    """Entry points in a text of the program that no other reading explains."""
    for word in re.findall(r"\w+", value):
        if word in index.names and not is_ordinary(word):
            yield word
    for match in _DEFINITION.finditer(value):
        name = match["name"]
        if name in index.names and name not in GENERIC and len(name) >= LEAST_NAME:
            yield name


def _decisions(node: ast.AST, index: BenchmarkIndex) -> Iterator[Finding]:
    """`if problem.entry_point == "add"`, in any of the ways to write it."""
    match node:
        case ast.Compare(left=left, comparators=others):
            sides, line = [left, *others], node.lineno
        case ast.Match(subject=subject, cases=cases):
            sides, line = [subject, *(v for c in cases for v in _values(c.pattern))], node.lineno
        case ast.Subscript(value=value, slice=key):
            sides, line = [key, value], node.lineno
        case ast.Call(func=ast.Attribute(value=value), args=args) if args:
            sides, line = [value, *args], node.lineno
        case _:
            return
    if any(ABOUT_A_PROBLEM.search(ast.unparse(side)) for side in sides if not _texts(side)):
        for name in (text for side in sides for text in _texts(side) if text in index.names):
            yield _patch(f"decides by the name {name!r}", name, index, line)


def _tables(node: ast.AST, index: BenchmarkIndex) -> Iterator[Finding]:
    """A table with several entry points, such as `{"add": ..., "search": ...}`."""
    match node:
        case ast.Dict(keys=keys):
            held = [text for key in keys if key is not None for text in _texts(key)]
        case ast.Set(elts=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            held = [text for part in parts for text in _texts(part)]
        case _:
            return
    names = [text for text in held if text in index.names and text not in GENERIC]
    if len(names) >= 2 and 2 * len(names) >= len(held):
        message = f"a table of functions of {index.task.name}: {', '.join(names[:4])}"
        yield _patch(message, names[0], index, node.lineno)


def _texts(node: ast.AST) -> list[str]:
    """The texts that an expression is made of, when it is made of nothing else."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Set(elts=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [text for part in parts for text in _texts(part)]
        case _:
            return []


def _values(pattern: ast.pattern) -> Iterator[ast.expr]:
    for part in ast.walk(pattern):
        if isinstance(part, ast.MatchValue):
            yield part.value


def _patch(message: str, name: str, index: BenchmarkIndex, line: int) -> Finding:
    problem_id = index.names[name]
    return Finding(
        code="TV109", message=f"{message} ({problem_id})", line=line, problem_id=problem_id
    )


def _docstrings(tree: ast.Module) -> set[ast.AST]:
    return {
        part.value
        for part in ast.walk(tree)
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    }


def _code_only(source: str, tree: ast.Module) -> str:
    """The file without the lines of its docstrings, which are for people."""
    lines = source.splitlines()
    for node in _docstrings(tree):
        assert isinstance(node, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            lines[number - 1] = ""
    return "\n".join(lines)


def _is_code(finding: Finding) -> bool:
    # Names and phrases are judged above, text by text; signatures and solutions are code.
    return finding.code in ("TV104", "TV106", "TV107")
