"""Steps that change what the model wrote. Their score has a line of its own."""

from __future__ import annotations

import ast
import builtins
from itertools import islice

from trueval.postprocess.parsing import MAX_ATTEMPTS, defines, parse
from trueval.types import Effect, Problem

MODULES = """
bisect cmath collections copy datetime decimal fractions functools hashlib heapq itertools json
math operator os random re statistics string sys time typing
"""
"""Modules whose name, used and unbound, can hardly mean anything else."""

MEMBERS = {
    "typing": "Any Callable Dict Iterable Iterator List Optional Sequence Set Tuple Union",
    "collections": "Counter OrderedDict defaultdict deque namedtuple",
    "functools": "lru_cache reduce",
    "itertools": "accumulate combinations groupby permutations zip_longest",
    "math": "ceil floor gcd sqrt",
}
"""Module -> members that only one module of the standard library is known for."""


class MissingImports:
    """Imports standard modules and names that a program uses and nowhere binds."""

    name = "missing_imports"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with the imports at its head, inside the body where it is one."""
        whole = defines(text, problem.entry_point)
        tree = parse(text if whole else problem.prefix + text)
        if tree is None or not text.strip():
            return text
        # The imports of the prefix are there for a whole function too.
        unbound = _used(tree) - _bound(tree) - _bound(parse(problem.prefix)) - set(dir(builtins))
        lines = [f"import {name}" for name in MODULES.split() if name in unbound]
        for module, members in MEMBERS.items():
            lines += [f"from {module} import {m}" for m in members.split() if m in unbound]
        first = next(line for line in text.splitlines() if line.strip())
        indent = "" if whole else first[: len(first) - len(first.lstrip())]
        return "".join(f"{indent}{line}\n" for line in lines) + text.lstrip("\n") if lines else text


class WholeStatements:
    """Drops the unfinished end of an answer that was cut: its longest head that parses is kept."""

    name = "whole_statements"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The longest run of whole lines that parses, if any does."""
        if parse(text) is not None or parse(problem.prefix + text) is not None:
            return text
        lines = text.splitlines(keepends=True)
        for end in islice(range(len(lines) - 1, 0, -1), MAX_ATTEMPTS):
            head = "".join(lines[:end])
            if not head.strip():
                break
            if defines(head, problem.entry_point):
                return head
            if head.lstrip("\n")[0].isspace() and parse(problem.prefix + head) is not None:
                return head
        return text


def _used(tree: ast.Module) -> set[str]:
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _bound(tree: ast.Module | None) -> set[str]:
    """Every name that is bound anywhere: a name bound in any scope is not taken for a module."""
    names: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
            case _:
                pass
    return names
