"""What is graded is what the model was going on with, and not always the problem's own text.

A prompt may end in a cue (`# TODO`), in an indentation or in half a statement, leave the docstring
out, or put imports first. The pipeline then reads the answer against the code that was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from trueval.postprocess.parsing import (
    MAX_ATTEMPTS,
    body_indent,
    defines,
    is_body,
    parse,
    top_level_cuts,
)
from trueval.postprocess.pipeline import Pipeline
from trueval.prompts.strategy import LibraryPrompt
from trueval.types import Problem, Program, digest_of

EDIT = "realign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Realigned(Pipeline):
    """A pipeline that takes what the prompt ended in for the beginning of the program."""

    prompt: LibraryPrompt

    def __call__(
        self, text: str, problem: Problem, *, cut: bool = False
    ) -> tuple[Program, Program | None]:
        """The program that the model was continuing, and the repaired one if there is any."""
        seen, continued = realign(text, problem, self.prompt.continued(problem))
        # Not super(): a dataclass with slots is another class than the one that this was made in.
        program, repaired = Pipeline.__call__(self, continued, seen, cut=cut)
        if continued == text:
            return program, repaired
        return _named(program), _named(repaired) if repaired else None


def realigned(pipeline: Pipeline, prompt: LibraryPrompt, problems: Sequence[Problem]) -> Pipeline:
    """The pipeline for a prompt: itself where the prompt shows each problem's text and no more."""
    codes = [prompt.continued(problem) for problem in problems]
    if all(_is_prefix(code, problem) for code, problem in zip(codes, problems, strict=True)):
        return pipeline
    return Realigned(
        # Controls are recalled by this name: other codes are another chain.
        name=f"{pipeline.name}+{EDIT}:{digest_of(codes)[:8]}",
        steps=pipeline.steps,
        assemble=pipeline.assemble,
        infills=pipeline.infills,
        prompt=prompt,
    )


def realign(text: str, problem: Problem, code: str) -> tuple[Problem, str]:
    """The problem as the model saw it, and the answer as a continuation of that.

    Where the code ends inside a line, the answer begins inside it; parsing tells whether it does,
    or whether the model started over with a line of its own.
    """
    if _is_prefix(code, problem):
        return problem, text
    lines, newline, rest = code.rpartition("\n")
    before = replace(problem, prefix=_without_cue(lines + newline))
    if rest and not text.startswith(("\n", "\r")) and _goes_on(rest, text, before):
        return before, rest + text
    return replace(problem, prefix=_without_cue(lines + newline + _ended(rest))), text


def why_not(prompt: LibraryPrompt, problem: Problem) -> str:
    """Why no right answer to the prompt can be graded as right; empty when it can."""
    code = prompt.continued(problem)
    if _is_prefix(code, problem):
        return ""
    rest = code.rpartition("\n")[2].strip()
    if rest.startswith("#"):
        return "it ends inside a comment, and what follows would be part of it"
    whole = replace(problem, prefix=_without_cue(code.rstrip() + "\n"))
    # MBPP's problems open no function: there a whole one follows, at the margin.
    tries = (f"{whole.prefix}{indent}pass\n" for indent in (body_indent(whole), ""))
    filled = next((source for source in tries if parse(source) is not None), "")
    if not filled:
        return "it ends inside a string, a bracket or a statement"
    if _defined(problem.prefix, problem) and not _defined(filled, problem):
        return f"its code has no function {problem.entry_point!r} to go on with"
    shown = problem.prefix.rstrip().rpartition("\n")[2].strip()
    if rest and not rest.endswith(":") and rest != shown:
        return f"it ends inside a line, after {rest!r}, which a whole body cannot follow"
    return ""


def _defined(source: str, problem: Problem) -> bool:
    return defines(source, problem.entry_point)


def _is_prefix(code: str, problem: Problem) -> bool:
    """Whether it is the problem's text, with newlines and comments of its own at the end aside."""
    if code == problem.prefix or code == problem.prefix.rstrip():
        return True
    return code.endswith("\n") and _without_cue(code).rstrip() == problem.prefix.rstrip()


def _without_cue(code: str) -> str:
    """The code without the comments that it ends in: no program depends on them."""
    lines = code.splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return "".join(lines)


def _goes_on(rest: str, text: str, before: Problem) -> bool:
    """Whether some beginning of the answer is the body's code together with the rest of a line."""
    found = _heads(text)
    if any(defines(head, before.entry_point) for head in found):
        return False
    # Only those with something of the answer in them: the rest alone may well parse.
    return any(is_body(rest + head, before) for head in found if head.strip())


def _heads(text: str) -> list[str]:
    cuts = islice(top_level_cuts(text), MAX_ATTEMPTS)
    return [*(text[:cut] for cut in cuts), text]


def _ended(rest: str) -> str:
    """The last line, over. An indentation that nothing followed is nothing."""
    return f"{rest}\n" if rest.strip() else ""


def _named(program: Program) -> Program:
    return replace(program, edits=(EDIT, *program.edits))
