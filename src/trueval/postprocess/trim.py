"""Steps that drop what follows an answer. The function that is graded is left as it is."""

from __future__ import annotations

import ast
from itertools import islice

from trueval.postprocess.extract import heads
from trueval.postprocess.parsing import MAX_ATTEMPTS, defines, parse, top_level_cuts
from trueval.types import Effect, Problem

KEPT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
KEPT_VALUES = (ast.Assign, ast.AnnAssign, ast.AugAssign)


class EndOfFunction:
    """Ends a body at the first line that leaves the function, as stop sequences would."""

    name = "end_of_function"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:
        """The body alone."""
        if any(defines(head, problem.entry_point) for head in heads(text)):
            return text
        for cut in islice(top_level_cuts(text), MAX_ATTEMPTS):
            # A margin inside a string or a bracket is no end: what is before it does not parse.
            if parse(problem.prefix + text[:cut]) is not None:
                return text[:cut]
        return text


class AfterFunction:
    """Drops prose, examples and self-made tests that follow a whole function."""

    name = "after_function"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:
        """The definitions, imports and assignments of a whole answer."""
        whole = next((head for head in heads(text) if defines(head, problem.entry_point)), None)
        if whole is None:
            return text
        tree = parse(whole)
        assert tree is not None  # `defines` parsed it
        kept = [node for node in tree.body if isinstance(node, KEPT + KEPT_VALUES)]
        last = max(node.end_lineno or 0 for node in kept)
        lines = whole.splitlines(keepends=True)
        # Only from the end: a statement between two definitions may be what the later one needs.
        return "".join(lines[:last]) if any(line.strip() for line in lines[last:]) else whole
