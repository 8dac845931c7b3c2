"""Keeps benchmarks out of the training data: no shared long line, no equal function body."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trueval import registry
from trueval.errors import ConfigError, did_you_mean
from trueval.honesty.lint_source import parsed
from trueval.tuning.functions import body_key, definitions_in
from trueval.types import Problem, Reference, TaskData

LINE = 40
"""A stripped line of this many characters or more may not be shared with a benchmark."""
_NOT_BENCHMARKS = frozenset({"jsonl"})


@dataclass(frozen=True, slots=True)
class Index:
    """What benchmarks are made of: long lines and bodies, each with the benchmarks it is from."""

    names: tuple[str, ...]
    lines: Mapping[str, frozenset[str]] = field(repr=False)
    bodies: Mapping[str, frozenset[str]] = field(repr=False)
    """By `functions.body_key`."""

    def hits(self, text: str, body: str) -> frozenset[str]:
        """The benchmarks that a document shares a long line or its body with."""
        found = set(self.bodies.get(body, ()))
        for line in _long_lines(text):
            found |= self.lines.get(line, frozenset())
        return frozenset(found)


def index(tasks: Iterable[TaskData]) -> Index:
    """The index of these benchmarks: prompts, solutions and tests, infillings put together."""
    lines: defaultdict[str, set[str]] = defaultdict(set)
    bodies: defaultdict[str, set[str]] = defaultdict(set)
    names = []
    for task in tasks:
        names.append(task.name)
        for text in {text for problem in task.problems for text in _texts(task, problem)}:
            for line in _long_lines(text):
                lines[line].add(task.name)
            tree = parsed(text)
            for node in definitions_in(tree) if tree is not None else ():
                bodies[body_key(node)].add(task.name)
    return Index(
        tuple(names),
        {line: frozenset(of) for line, of in lines.items()},
        {body: frozenset(of) for body, of in bodies.items()},
    )


def _long_lines(text: str) -> Iterator[str]:
    """The lines that count, without the marks of docstrings and comments around them.

    A sentence is the same one whether its line opens a docstring, goes on in it, or is a comment.
    """
    for line in text.split("\n"):
        stripped = line.strip()
        if len(stripped) >= LINE:
            yield stripped.strip("\"'# \t")


def _texts(task: TaskData, problem: Problem) -> Iterator[str]:
    reference: Reference = task.references[problem.problem_id]
    before, after = problem.glue
    solution = reference.canonical_solution
    yield problem.prefix + before + solution + after + problem.suffix
    yield reference.test
    # What is before a hole is part of the whole, and ends in the middle of it.
    if task.kind == "completion":
        yield from (problem.prefix, solution, reference.prelude + solution)


def known_benchmarks(given: Mapping[str, str] | None = None) -> tuple[list[TaskData], list[str]]:
    """Every benchmark that can be loaded without a network, and the names of those that cannot.

    `given`: task name -> the benchmark's own file, for those that are not in the cache.
    Raises `ConfigError` for a name that is no task's.
    """
    given = given or {}
    names = [name for name in registry.known("tasks") if name not in _NOT_BENCHMARKS]
    for name in given:
        if name not in names:
            raise ConfigError(f"unknown task {name!r}", hint=did_you_mean(name, names))
    loaded, missing = [], []
    for name in names:
        make = registry.resolve("tasks", name)
        if name in given or _is_here(make):
            loaded.append(_whole(make, given.get(name)))
        else:
            missing.append(name)
    return loaded, missing


def _is_here(make: Any) -> bool:
    source = getattr(make, "published", None)
    return source is None or source.path.exists() or source.by_hand.exists()


def _whole(make: Any, file: str | None) -> TaskData:
    options: dict[str, Any] = {} if file is None else {"file": file}
    if "split" in inspect.signature(make).parameters:
        # The other splits are benchmarks too, and few-shot prompts.
        options["split"] = "all"
    task: TaskData = make(**options).load()
    return task


def parse_given(pairs: Sequence[str]) -> dict[str, str]:
    """`NAME=FILE` pairs of the command line. Raises `ConfigError` for anything else."""
    given = {}
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise ConfigError(f"--benchmark {pair!r} is not NAME=FILE", hint="e.g. mbpp=mbpp.jsonl")
        given[name] = file
    return given
