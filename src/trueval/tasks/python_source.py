"""What a benchmark's Python source says of itself: the function under test, and what is around."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence


def asserted_function(tests: Sequence[str], code: str) -> str:
    """The function of `code` that the asserts call; empty if they call none.

    Of several, the one that most asserts call: the others make its arguments.
    """
    made = {name: kind for node in parsed(code).body for name, kind in _made_by(node)}
    for kinds in (("function",), ("function", "value", "class")):
        counted: Counter[str] = Counter()
        for test in tests:
            called = dict.fromkeys(_called(parsed(test)))
            counted.update(name for name in called if made.get(name) in kinds)
        if counted:
            return counted.most_common(1)[0][0]
    return ""


def last_function(code: str) -> str:
    """The last function that `code` defines at its top level; empty if there is none."""
    names = [node.name for node in parsed(code).body if isinstance(node, ast.FunctionDef)]
    return names[-1] if names else ""


def before_function(code: str, name: str) -> str:
    """The text of `code` before the definition of `name`: its imports and helpers."""
    for node in parsed(code).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
            return "".join(code.splitlines(keepends=True)[: first - 1])
    return ""


def without_own_call(tests: str) -> tuple[str, str]:
    """Tests that define `check` and call it, without the call, and the name that they pass.

    As MultiPL-E has them: `check(f)` in a function `test_check`, and a call of that. Both are
    empty where there is no `check`; the name is, where nothing calls it.
    """
    tree = parsed(tests)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "check" not in defined:
        return "", ""
    runners, name, gone = {"check"}, "", set[int]()
    found = True
    while found:  # a runner may be called by another
        found = False
        for place, node in enumerate(tree.body):
            if place in gone or (isinstance(node, ast.FunctionDef) and node.name == "check"):
                continue
            if runners & set(_called(node)):
                gone.add(place)
                found = True
                name = name or _passed_to_check(node)
                runners |= {node.name} if isinstance(node, ast.FunctionDef) else set()
    return _keeping(tests, tree, gone), name


def _keeping(source: str, tree: ast.Module, gone: set[int]) -> str:
    """The source without some of its statements, as it stands where that can be."""
    dropped = {
        line
        for place in gone
        for line in range(tree.body[place].lineno, (tree.body[place].end_lineno or 0) + 1)
    }
    kept = [node for place, node in enumerate(tree.body) if place not in gone]
    if any(dropped & {*range(node.lineno, (node.end_lineno or 0) + 1)} for node in kept):
        return ast.unparse(ast.Module(kept, [])) + "\n"
    lines = source.split("\n")
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped)


def _passed_to_check(node: ast.stmt) -> str:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and _name(part.func) == "check" and part.args:
            return _name(part.args[0])
    return ""


def _called(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and _name(part.func):
            yield _name(part.func)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _made_by(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, "function"
    elif isinstance(node, ast.ClassDef):
        yield node.name, "class"
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, "value"


def parsed(source: str) -> ast.Module:
    """The statements of a source; none where it is no Python."""
    with warnings.catch_warnings():
        # An odd escape in a benchmark's string is no user's business.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            return ast.Module([], [])
