"""The leak lint: traces of a benchmark in prompts, examples and post-processors.

This part reads. `lint_behaviour` runs what it finds, and `lint_python` reads code as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trueval.honesty.lint_index import BenchmarkIndex, Def, fold, is_ordinary, normal_form, phrases
from trueval.honesty.lint_source import compact, functions_in, parsed

LEAST_NAME = 3
"""Letters of a name below which even its parameters say nothing: `f(n)`."""

_SEPARATOR = r"[-_ ]?"
BENCHMARKS = re.compile(
    r"(?<![a-z0-9])(?:"
    + "|".join(
        name.replace(" ", _SEPARATOR)
        for name in (
            r"human eval",
            r"mbpp",
            r"eval plus",
            r"multipl e",
            r"big code bench",
            r"santa coder",
            r"live code bench",
            r"ds 1000",
            r"cruxeval",
            r"class eval",
            r"code contests",
        )
    )
    + r")(?!uat)",
    re.IGNORECASE,
)
PROBLEM = re.compile(r"(?<![a-z0-9])(?:human[-_ ]?eval|mbpp)\s*[/_#:-]\s*\d+", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*(?:-\w+)*")
_SIGNATURE = re.compile(r"\bdef\s+(?P<name>\w+)\s*\((?P<arguments>[^()]*)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One trace, where it is and what it is of."""

    code: str
    """A key of `lint_codes.CODES`."""
    message: str
    line: int = 0
    """Of the text, from 1; 0 where it has none."""
    problem_id: str = ""


def lint_text(text: str, indexes: Sequence[BenchmarkIndex]) -> list[Finding]:
    """What prose or code for a model to read tells of a benchmark."""
    found = [*benchmark_names(text)]
    for each in indexes:
        found += _names(text, each)
        found += _signatures(text, each)
        found += _phrases(text, each)
        found += _inputs(text, each)
        found += _solutions(text, each)
    return once(found)


def once(findings: Sequence[Finding]) -> list[Finding]:
    """Without those that say the same of the same, in the order of lines."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.code, finding.problem_id or finding.message), finding)
    return sorted(first.values(), key=lambda finding: (finding.line, finding.code))


def line_of(text: str, offset: int) -> int:
    """The line of an offset, from 1."""
    return text.count("\n", 0, offset) + 1


def benchmark_names(text: str) -> Iterator[Finding]:
    """Names of benchmarks and of their problems."""
    ids = [*PROBLEM.finditer(text)]
    for match in ids:
        message = f"names the problem {match[0]}"
        yield Finding(code="TV102", message=message, line=line_of(text, match.start()))
    for match in BENCHMARKS.finditer(text):
        if not any(start.start() <= match.start() < start.end() for start in ids):
            message = f"names the benchmark {match[0]}"
            yield Finding(code="TV101", message=message, line=line_of(text, match.start()))


def _names(text: str, index: BenchmarkIndex) -> Iterator[Finding]:
    for match in _NAME.finditer(text):
        name = index.folded.get(fold(match[0]))
        if name:
            yield Finding(
                code="TV103",
                message=f"{match[0]} is {name} of {index.names[name]}",
                line=line_of(text, match.start()),
                problem_id=index.names[name],
            )


def _signatures(text: str, index: BenchmarkIndex) -> Iterator[Finding]:
    for match in _SIGNATURE.finditer(text):
        name = match["name"]
        given = tuple(re.split(r"[:=]", part)[0].strip() for part in _split(match["arguments"]))
        of_a_word = is_ordinary(name) and len(name) >= LEAST_NAME
        if of_a_word and given and given in index.parameters.get(name, ()):
            yield Finding(
                code="TV104",
                message=f"{name}({', '.join(given)}) is the function of {index.names[name]}",
                line=line_of(text, match.start()),
                problem_id=index.names[name],
            )


def _split(arguments: str) -> list[str]:
    """At commas outside brackets: `a: Dict[str, int], b` are two."""
    flat = re.sub(r"\[.*?\]+", "", arguments, flags=re.S)
    return [part for part in flat.split(",") if part.strip() and part.strip() not in "*/"]


def _phrases(text: str, index: BenchmarkIndex) -> Iterator[Finding]:
    for phrase in phrases(text):
        if problem_id := index.phrases.get(phrase):
            yield Finding(
                code="TV105",
                message=f"“{' '.join(phrase)}” is of {problem_id}",
                line=_line_of_words(text, phrase),
                problem_id=problem_id,
            )


def _line_of_words(text: str, phrase: Sequence[str]) -> int:
    match = re.search(r"\W+".join(map(re.escape, phrase)), text, re.IGNORECASE)
    return line_of(text, match.start()) if match else 0


def _inputs(text: str, index: BenchmarkIndex) -> Iterator[Finding]:
    dense = compact(text)
    for arguments, problem_id in index.inputs.items():
        if arguments in dense:
            yield Finding(
                code="TV106",
                message=f"{arguments} is an input of the tests of {problem_id}",
                problem_id=problem_id,
            )


def _solutions(text: str, index: BenchmarkIndex) -> Iterator[Finding]:
    for function in functions_in(text):
        tree = parsed(function.source)
        node = tree.body[0] if tree and tree.body else None
        form = normal_form(node) if isinstance(node, Def) else ""
        if problem_id := index.solutions.get(form):
            yield Finding(
                code="TV107",
                message=f"{function.name} is the canonical solution of {problem_id}",
                line=function.line,
                problem_id=problem_id,
            )
    dense = compact(text)
    for body, problem_id in index.bodies.items():
        if body in dense:
            message = f"holds the body of the canonical solution of {problem_id}"
            yield Finding(code="TV107", message=message, problem_id=problem_id)
