"""Questions that post-processors ask of code that may be broken, hostile or prose."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache

from trueval.types import Problem

MAX_ATTEMPTS = 200
"""How many cuts are tried on one answer: a bound on the time that a hostile one can take."""


@lru_cache(maxsize=512)
def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None for anything that is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's invalid escapes are no concern of ours
        try:
            return ast.parse(source)
        # Null bytes, nesting without end and lone surrogates each have an exception of their own.
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def defines(source: str, name: str) -> bool:
    """Whether a whole, parsable source binds `name` at its top level."""
    tree = parse(source)
    return tree is not None and any(name in _bound_by(node) for node in tree.body)


def preamble(problem: Problem) -> str:
    """What stands in the prefix before the entry point: imports and helper functions."""
    tree = parse(problem.prefix)
    for node in tree.body if tree else ():
        if problem.entry_point in _bound_by(node):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            return "".join(problem.prefix.splitlines(keepends=True)[: first - 1])
    # A prefix that ends inside a statement does not parse; its last `def` is the one to complete.
    found = [*re.finditer(rf"^(async )?def {problem.entry_point}\b", problem.prefix, re.MULTILINE)]
    return problem.prefix[: found[-1].start()] if found else problem.prefix


def body_indent(problem: Problem) -> str:
    """The white space that a line of the body starts with, read off the prefix."""
    for line in reversed(problem.prefix.splitlines()):
        if line.strip():
            spaces = line[: len(line) - len(line.lstrip())]
            return spaces + "    " if line.rstrip().endswith(":") else spaces or "    "
    return "    "


def is_body(text: str, problem: Problem) -> bool:
    """Whether the text goes on with the prefix as the indented body of its function."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    return first[:1].isspace() and parse(problem.prefix + text) is not None


def top_level_cuts(text: str) -> Iterator[int]:
    """Offsets of the lines that start a new top-level statement, first to last, if any parse."""
    offset = 0
    seen_code = False
    for line in text.splitlines(keepends=True):
        # A comment at the margin does not end a block; anything else there does.
        if seen_code and line.strip() and not line[0].isspace() and line[0] != "#":
            yield offset
        seen_code = seen_code or bool(line.strip())
        offset += len(line)


def _bound_by(node: ast.stmt) -> set[str]:
    """Names that one top-level statement binds."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name for alias in names}
        case _:
            return set()
