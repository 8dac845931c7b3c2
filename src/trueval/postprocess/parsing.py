"""Questions that post-processors ask of code that may be broken, hostile or prose.

CPython's own parser answers them: what it takes is what will run, for the version that runs. Where
it refuses, the line it refuses at says which heads of the text can still be whole, so that broken
text costs a parse or two and not one a line.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate

from trueval.types import Problem

MAX_ATTEMPTS = 200
"""How many cuts are tried on one answer: a bound on the time that a hostile one can take."""


@lru_cache(maxsize=512)
def _read(source: str) -> ast.Module | Exception:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's invalid escapes are no concern of ours
        try:
            return ast.parse(source)
        # Null bytes, nesting without end and lone surrogates each have an exception of their own.
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return error.with_traceback(None)


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None for anything that is not Python."""
    found = _read(source)
    return found if isinstance(found, ast.Module) else None


def first_error(source: str) -> SyntaxError | None:
    """Where and why a source stops being Python; None when it is, or when that has no place."""
    found = _read(source)
    return found if isinstance(found, SyntaxError) and found.lineno else None


def longest_head(text: str, before: str = "", *, cuts: Iterable[int] | None = None) -> str:
    """The longest head of a text that parses after `before`; empty when none does.

    It ends at one of the `cuts`, ascending; without them, at a top-level line or at its end.
    """
    found = [*(top_level_cuts(text) if cuts is None else cuts), len(text)]
    starts = line_starts(text)
    lines_before = len(line_starts(before)) - 1
    for _ in range(MAX_ATTEMPTS):
        if not found or parse(before + text[: found[-1]]) is not None:
            break
        error = first_error(before + text[: found.pop()])
        # No head that holds the line of the error can parse: the reason is there already.
        line = (error.lineno or 0) - 1 - lines_before if error else len(starts)
        limit = starts[max(line, 0)] if line < len(starts) else len(text)
        while found and found[-1] > limit:
            found.pop()
    else:
        return ""
    return text[: found[-1]] if found else ""


def line_starts(text: str) -> list[int]:
    """The offset of each line as the parser counts them; the last may be empty."""
    # `str.splitlines` also breaks at form feeds and the like, where the parser does not.
    lines = text.replace("\r\n", " \n").replace("\r", "\n").split("\n")
    return [0, *accumulate(len(line) + 1 for line in lines[:-1])]


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
    lines = problem.prefix.splitlines(keepends=True)
    found = [i for i, line in enumerate(lines) if starts_definition(line, problem.entry_point)]
    return "".join(lines[: found[-1]]) if found else problem.prefix


def starts_definition(line: str, name: str) -> bool:
    """Whether a line at the margin starts to define a function of that name."""
    rest = line.removeprefix("async ").removeprefix("def ")
    return rest != line and rest.lstrip().startswith(name) and not _goes_on(rest.lstrip(), name)


def _goes_on(text: str, name: str) -> bool:
    after = text[len(name) : len(name) + 1]
    return after.isalnum() or after == "_"


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
    starts = line_starts(text)
    seen_code = False
    for start, end in zip(starts, (*starts[1:], len(text)), strict=True):
        line = text[start:end]
        # A comment at the margin does not end a block; anything else there does.
        if seen_code and line.strip() and not line[0].isspace() and line[0] != "#":
            yield start
        seen_code = seen_code or bool(line.strip())


def names_used(tree: ast.AST) -> set[str]:
    """Every name that is read anywhere in a tree."""
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


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
