"""Steps that drop what follows an answer. The function that is graded is left as it is."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import islice

from trueval.postprocess.extract import FUNCTIONS
from trueval.postprocess.parsing import (
    MAX_ATTEMPTS,
    defines,
    longest_head,
    names_used,
    parse,
    top_level_cuts,
)
from trueval.types import Effect, Problem

KEPT = (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)
KEPT_VALUES = (ast.Assign, ast.AnnAssign, ast.AugAssign)


class EndOfFunction:
    """Ends a body at the first line that leaves the function, as stop sequences would."""

    name = "end_of_function"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:
        """The body alone."""
        if defines(longest_head(text), problem.entry_point):
            return text
        for cut in islice(top_level_cuts(text), MAX_ATTEMPTS):
            # A margin inside a string or a bracket is no end: what is before it does not parse.
            if parse(problem.prefix + text[:cut]) is not None:
                return text[:cut]
        return text


class AfterFunction:
    """Drops prose, examples, self-made tests and unused functions that follow a whole function."""

    name = "after_function"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:
        """The definitions, imports and assignments of a whole answer."""
        whole = longest_head(text)
        tree = parse(whole)
        if tree is None or not defines(whole, problem.entry_point):
            return text
        last = _last_needed(tree.body, problem.entry_point).end_lineno or 0
        lines = whole.splitlines(keepends=True)
        # Only from the end: a statement between two definitions may be what the later one needs.
        return "".join(lines[:last]) if any(line.strip() for line in lines[last:]) else whole


def _last_needed(body: Sequence[ast.stmt], entry_point: str) -> ast.stmt:
    kept = [node for node in body if isinstance(node, KEPT + KEPT_VALUES)]
    while isinstance(node := kept[-1], FUNCTIONS) and node.name != entry_point:
        if any(node.name in names_used(other) for other in kept[:-1]):
            break
        kept.pop()
    return kept[-1]
