"""What of a benchmark must not turn up in a prompt: its names, words, inputs and solutions."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from trueval.honesty.lint_source import arity, compact, parsed
from trueval.types import Reference, TaskData

WORDS_IN_A_ROW = 8
SHARED_BY = 3
"""A phrase or an input that so many problems have is nobody's own."""
LEAST_INPUT = 20
LEAST_BODY = 48
"""Characters, white space aside, below which the same text is chance."""

Def = ast.FunctionDef | ast.AsyncFunctionDef
Literal = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Constant)
K = TypeVar("K")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkIndex:
    """One benchmark, ready to be looked for. Made of its answers: nothing of it goes to a model."""

    task: TaskData
    names: Mapping[str, str]
    """Entry point -> problem_id."""
    folded: Mapping[str, str]
    """Entry points of two words or more, without case and underscores -> entry point."""
    parameters: Mapping[str, frozenset[tuple[str, ...]]]
    """Entry point -> the names of its parameters, for each problem that has it."""
    phrases: Mapping[tuple[str, ...], str]
    """Words in a row -> problem_id."""
    inputs: Mapping[str, str]
    """Arguments of a test's call, compact -> problem_id."""
    solutions: Mapping[str, str]
    """Normal form of a canonical solution -> problem_id."""
    bodies: Mapping[str, str]
    """Text of a canonical solution, compact -> problem_id."""
    arities: Mapping[str, frozenset[int]]
    """problem_id -> how many arguments its tests call it with."""


def index(task: TaskData) -> BenchmarkIndex:
    """Read a benchmark once, for any number of texts."""
    names: dict[str, str] = {}
    parameters: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    solutions: dict[str, str] = {}
    bodies: dict[str, str] = {}
    arities: dict[str, frozenset[int]] = {}
    for problem in task.problems:
        reference = task.references[problem.problem_id]
        names.setdefault(problem.entry_point, problem.problem_id)
        node = _solution(reference)
        if node is not None:
            parameters[problem.entry_point].add(tuple(arg.arg for arg in node.args.args))
            solutions.setdefault(normal_form(node), problem.problem_id)
            if len(body := compact(reference.canonical_solution)) >= LEAST_BODY:
                bodies.setdefault(body, problem.problem_id)
        arities[problem.problem_id] = _arities(reference, node)
    return BenchmarkIndex(
        task=task,
        names=names,
        folded={fold(name): name for name in names if not is_ordinary(name)},
        parameters={name: frozenset(found) for name, found in parameters.items()},
        phrases=_own(
            (phrase, problem.problem_id)
            for problem in task.problems
            for phrase in phrases(problem.prefix)
        ),
        inputs=_own(
            (text, reference.problem_id)
            for reference in task.references.values()
            for text in _inputs(reference)
        ),
        solutions=solutions,
        bodies=bodies,
        arities=arities,
    )


def is_ordinary(name: str) -> bool:
    """Whether a name is one word, which prose and code use without a thought of a benchmark."""
    return "_" not in name.strip("_") and (name.islower() or name.istitle())


def fold(name: str) -> str:
    """The name whatever its style: `has_close_elements` as `hasCloseElements`."""
    return name.replace("_", "").replace("-", "").casefold()


def phrases(text: str) -> Iterator[tuple[str, ...]]:
    """All runs of so many words, in lower case."""
    words = _WORD.findall(text.lower())
    for start in range(len(words) - WORDS_IN_A_ROW + 1):
        yield tuple(words[start : start + WORDS_IN_A_ROW])


def normal_form(node: Def) -> str:
    """The function as text, in which its own names, annotations and docstring make no difference.

    Equal for two functions that do the same in the same way.
    """
    copy = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(copy, Def)
    own = {node.name: "f"}
    for part in ast.walk(copy):
        if isinstance(part, ast.arg):
            part.annotation = None
            own.setdefault(part.arg, f"v{len(own)}")
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            own.setdefault(part.id, f"v{len(own)}")
    for part in ast.walk(copy):
        if isinstance(part, ast.arg):
            part.arg = own[part.arg]
        elif isinstance(part, ast.Name):
            part.id = own.get(part.id, part.id)
    copy.returns, copy.name, copy.decorator_list = None, "f", []
    copy.body = _without_texts(copy.body)
    return ast.dump(copy)


def _without_texts(body: list[ast.stmt]) -> list[ast.stmt]:
    kept = [
        part
        for part in body
        if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
    ]
    return kept or [ast.Pass()]


def _own(found: Iterable[tuple[K, str]]) -> dict[K, str]:
    """Each key with its first problem, without those that many problems have."""
    pairs = dict.fromkeys(found)
    counted = Counter(key for key, _ in pairs)
    owners: dict[K, str] = {}
    for key, problem_id in pairs:
        if counted[key] < SHARED_BY:
            owners.setdefault(key, problem_id)
    return owners


def _solution(reference: Reference) -> Def | None:
    for source in (reference.prelude + reference.canonical_solution, reference.canonical_solution):
        tree = parsed(source)
        for node in reversed(tree.body if tree else []):
            if isinstance(node, Def) and node.name == reference.entry_point:
                return node
    return None


def _calls(reference: Reference) -> Iterator[ast.Call]:
    tree = parsed(reference.test)
    for part in ast.walk(tree) if tree else ():
        match part:
            case ast.Call(func=ast.Name(id=name)) if name in ("candidate", reference.entry_point):
                yield part


def _inputs(reference: Reference) -> Iterator[str]:
    for call in _calls(reference):
        text = compact(", ".join(ast.unparse(arg) for arg in call.args))
        if len(text) >= LEAST_INPUT and any(isinstance(arg, Literal) for arg in call.args):
            yield text


def _arities(reference: Reference, node: Def | None) -> frozenset[int]:
    found = {len(call.args) for call in _calls(reference)}
    if reference.inputs is not None:
        found |= {len(args) for args in reference.inputs.args}
    return frozenset(found or ({arity(node)[1]} if node else set()))
