"""The parts of a problem that a template can ask for, read off what the model may see."""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType

from trueval.errors import ConfigError
from trueval.types import Problem

Function = ast.FunctionDef | ast.AsyncFunctionDef


def preamble(problem: Problem) -> str:
    """What stands before the function to complete: imports and helpers."""
    lines = problem.prefix.splitlines(keepends=True)
    return "".join(lines[: _first_line(_function(problem)) - 1])


def signature(problem: Problem) -> str:
    """The function's decorators and its `def`, to the colon."""
    node = _function(problem)
    lines = problem.prefix.splitlines()
    return "\n".join(lines[_first_line(node) - 1 : node.body[0].lineno - 1]).rstrip()


def docstring(problem: Problem) -> str:
    """What the problem says of itself, without its indentation; empty where it says nothing."""
    tree = _parsed(problem)
    node = _found(tree, problem.entry_point) if tree else None
    # MBPP has no function to complete: the description is the text of the whole file.
    said = _description(node or tree) if tree else None
    return inspect.cleandoc(ast.literal_eval(said.value)) if said else ""


def without_docstring(problem: Problem) -> str:
    """The problem's text without what it says of itself: imports, helpers, `def` and the like."""
    said = _description(_function(problem))
    lines = problem.prefix.splitlines(keepends=True)
    return "".join([*lines[: said.lineno - 1], *lines[said.end_lineno or 0 :]] if said else lines)


def doctests(problem: Problem) -> str:
    """The `>>>` examples of the docstring, with what they give; empty where there are none."""
    return "\n".join(line for line, is_test in _sorted_lines(problem) if is_test)


def description(problem: Problem) -> str:
    """The docstring without its `>>>` examples."""
    return "\n".join(line for line, is_test in _sorted_lines(problem) if not is_test).strip()


def indent(problem: Problem) -> str:
    """The white space before a line of the body; none where no function is open."""
    tree = _parsed(problem)
    node = _found(tree, problem.entry_point) if tree else None
    return " " * (node.body[-1].col_offset if node else 0)


PARTS: Mapping[str, Callable[[Problem], str]] = MappingProxyType(
    {
        "prefix": lambda problem: problem.prefix,
        "prefix_stripped": lambda problem: problem.prefix.rstrip(),
        "suffix": lambda problem: problem.suffix,
        "entry_point": lambda problem: problem.entry_point,
        "preamble": preamble,
        "signature": signature,
        "docstring": docstring,
        "without_docstring": without_docstring,
        "description": description,
        "doctests": doctests,
        "indent": indent,
    }
)
"""Placeholder -> what it stands for."""


def _parsed(problem: Problem) -> ast.Module | None:
    """The prefix as a tree; one that ends in `def ...:` gets a body first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in a benchmark's text are no user's business
        for body in ("", "\n    pass\n"):
            try:
                return ast.parse(problem.prefix + body)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def _found(tree: ast.Module, name: str) -> Function | None:
    # The last of its name: HumanEval/32 and others define helpers first.
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
    return None


def _function(problem: Problem) -> Function:
    tree = _parsed(problem)
    node = _found(tree, problem.entry_point) if tree else None
    if node is None:
        raise ConfigError(
            f"{problem.problem_id} shows no function {problem.entry_point!r} to take apart",
            hint="--prompt minimal, which shows a problem as it is",
        )
    return node


def _description(node: ast.Module | Function) -> ast.Expr | None:
    """The first text that stands for itself: HumanEval/115 has an import before its docstring."""
    for part in node.body:
        match part:
            case ast.Expr(value=ast.Constant(value=str())):
                return part
    return None


def _first_line(node: Function) -> int:
    return min([node.lineno, *(part.lineno for part in node.decorator_list)])


def _sorted_lines(problem: Problem) -> list[tuple[str, bool]]:
    """Each line of the docstring, and whether it belongs to a doctest."""
    found: list[tuple[str, bool]] = []
    inside = False
    for line in docstring(problem).splitlines():
        # A doctest's output ends at a blank line, as `doctest` itself has it.
        inside = line.lstrip().startswith(">>>") or (inside and bool(line.strip()))
        found.append((line, inside))
    return found
