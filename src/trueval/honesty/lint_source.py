"""What is code in a text: functions that prompts, comments and files hold, in any dress."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_FUNCTIONS = 400
"""How many of one text are read: a bound on the time that a large file can take."""

_DEF = re.compile(r"^(?P<indent>[ \t]*)(?:async\s+)?def\s+(?P<name>\w+)\s*\(", re.M)
_LAMBDA = re.compile(r"^[ \t]*(?P<name>\w+)\s*=\s*lambda\b.*$", re.M)
_IMPORT = re.compile(r"^\s*(?:import\s+\w|from\s+\w[\w.]*\s+import\s).*$", re.M)
_DRESS = (
    re.compile(r"^[ \t]*#+ ?", re.M),  # commented out
    re.compile(r"^[ \t]*(?:>>>|\.\.\.) ?", re.M),  # as in a shell
    re.compile(r"^[ \t]*> ?", re.M),  # quoted
    re.compile(r"^[ \t]*[+-] ?", re.M),  # as in a diff
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a text defines."""

    name: str
    source: str
    line: int
    """Where it starts, from 1."""
    context: str
    """Imports and functions of the same text, itself among them: what it needs to run."""


def parsed(source: str) -> ast.Module | None:
    """The tree, or None for what is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=64)
def functions_in(text: str) -> tuple[Function, ...]:
    """Every function that can be read out of the text, also out of comments and escapes."""
    found: dict[str, Function] = {}
    for plain in _undressed(text):
        here = [*_functions(plain)][:MAX_FUNCTIONS]
        imports = [*_imports(plain)]
        context = "\n".join([*imports, *(source for _, source, _ in here)])
        for name, source, line in here:
            found.setdefault(source, Function(name, source, line, context))
    return tuple(found.values())


def arity(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> tuple[int, int]:
    """The fewest and the most positional arguments that it takes."""
    names = [*function.args.posonlyargs, *function.args.args]
    most = 1_000 if function.args.vararg else len(names)
    return len(names) - len(function.args.defaults), most


def compact(text: str) -> str:
    """The text without white space and comment signs, all quotes alike: for finding pieces."""
    return re.sub(r"[\s#]+", "", text).replace('"', "'")


def _undressed(text: str) -> Iterator[str]:
    yield text
    if "\\n" in text:
        yield text.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")
    for dress in _DRESS:
        if (plain := dress.sub("", text)) != text:
            yield plain


def _imports(text: str) -> Iterator[str]:
    for match in _IMPORT.finditer(text):
        line = match[0].strip()
        if "__future__" not in line and parsed(line) is not None:
            # What is not installed in the sandbox must not keep the rest from running.
            yield f"try:\n    {line}\nexcept Exception:\n    pass"


def _functions(text: str) -> Iterator[tuple[str, str, int]]:
    lines = text.splitlines()
    for match in _DEF.finditer(text):
        first = text.count("\n", 0, match.start())
        if source := _block(lines, first, len(match["indent"].expandtabs())):
            yield match["name"], source, first + 1
    for match in _LAMBDA.finditer(text):
        source = match[0].strip()
        if parsed(source) is not None:
            yield match["name"], source, text.count("\n", 0, match.start()) + 1


def _block(lines: list[str], first: int, indent: int) -> str:
    """The definition that starts on a line: as many lines as parse, up to the dedent."""
    taken = [lines[first]]
    for line in lines[first + 1 :]:
        inside = len(line.expandtabs()) - len(line.expandtabs().lstrip()) > indent
        if line.strip() and not inside and not line.lstrip().startswith(")"):
            break
        taken.append(line)
    while taken:
        source = textwrap.dedent("\n".join(taken)).strip("\n")
        if parsed(source) is not None:
            return source
        taken.pop()
    return ""
