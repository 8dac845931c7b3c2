"""Post-processing from end to end: a model's text in, a program out, each edit named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trueval.postprocess.extract import AlignBody, SkipPreface, Unfence
from trueval.postprocess.parsing import defines, preamble
from trueval.postprocess.repair import MissingImports, WholeStatements
from trueval.postprocess.trim import AfterFunction, EndOfFunction
from trueval.protocols import PostProcessor
from trueval.types import Problem, Program


def assemble(text: str, problem: Problem) -> str:
    """The source of an answer: a whole function after the preamble, or the prefix and a body."""
    if not text.strip():
        return ""
    if defines(text, problem.entry_point):
        return preamble(problem) + text
    return problem.prefix + text + problem.suffix


def join_only(text: str, problem: Problem) -> str:
    """Prefix and text, glued as they are: what the reference harnesses grade."""
    return problem.prefix + text + problem.suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Named steps in order, then assembly. `extract` and `trim` come before any `repair`."""

    name: str
    steps: Sequence[PostProcessor] = ()
    assemble: Callable[[str, Problem], str] = assemble

    def __call__(self, text: str, problem: Problem) -> tuple[Program, Program | None]:
        """The program, and the repaired one when a `repair` step changed anything."""
        text, edits = self._apply(text, problem, repairs=False)
        program = Program(source=self.assemble(text, problem), edits=edits)
        mended, repairs = self._apply(text, problem, repairs=True)
        if not repairs:
            return program, None
        source = self.assemble(mended, problem)
        return program, Program(source=source, edits=(*edits, *repairs))

    @property
    def repairs(self) -> bool:
        """Whether any step may change the model's code."""
        return any(step.effect == "repair" for step in self.steps)

    def _apply(self, text: str, problem: Problem, *, repairs: bool) -> tuple[str, tuple[str, ...]]:
        edits = []
        for step in self.steps:
            if (step.effect == "repair") is repairs:
                changed = step(text, problem)
                if changed != text:
                    edits.append(step.name)
                    text = changed
        return text, tuple(edits)


FIND = (Unfence(), SkipPreface(), AlignBody(), EndOfFunction(), AfterFunction())

NONE = Pipeline(name="none", assemble=join_only)
DEFAULT = Pipeline(name="default", steps=FIND)
REPAIR = Pipeline(name="repair", steps=(*FIND, WholeStatements(), MissingImports()))
