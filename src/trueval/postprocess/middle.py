"""Steps that find a middle in an answer: what is cut stands in the edits, and no code is changed.

No step looks at a reference. Each is made so that a true middle passes it untouched; the tests
send every middle of the official tasks through.
"""

from __future__ import annotations

from collections.abc import Sequence

from trueval.postprocess.echo import EchoedContext, SuffixOverlap
from trueval.postprocess.fences import blocks
from trueval.postprocess.parsing import parse
from trueval.postprocess.pipeline import Pipeline, fill, join_only
from trueval.protocols import PostProcessor
from trueval.types import Effect, Hole, Problem

END_TOKENS = (
    *("<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|EOT|>", "<｜end▁of▁sentence｜>"),
    *("▁<EOT>", "<EOT>", "</s>", "<eos>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>", "<|file_separator|>"),
    *("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"),
    *("<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>"),
    *("<filename>", "<reponame>", "<gh_stars>", "<repo_name>", "<file_sep>"),
    *("▁<PRE>", "▁<SUF>", "▁<MID>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    *("[SUFFIX]", "[PREFIX]", "[MIDDLE]"),
    *("<|code_suffix|>", "<|code_prefix|>", "<|code_middle|>"),
)
"""Tokens that end a middle in some FIM format; the prompt's own `stop` is the exact list."""


class EndTokens:
    """Cuts at the first end-of-middle token that came through as text."""

    name = "end_tokens"
    effect: Effect = "trim"

    def __init__(self, tokens: Sequence[str] = END_TOKENS) -> None:
        self.tokens = tuple(tokens)

    def __call__(self, text: str, problem: Problem) -> str:  # noqa: ARG002
        """The text before it; all of it when there is none."""
        found = [at for token in self.tokens if (at := text.find(token)) >= 0]
        return text[: min(found)] if found else text


class FirstLine:
    """Keeps the first line that holds anything, with blank lines before it and its newline.

    What the `first-line` metric reads of a text is the same before and after.
    """

    name = "first_line"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:  # noqa: ARG002
        """The text to the end of that line."""
        start = len(text) - len(text.lstrip())
        end = text.find("\n", start)
        return text if end < 0 else text[: end + 1]


class LineEnd:
    """Ends the last line, where the text after the hole would be glued to it.

    Middles of whole lines end with a newline, and models and servers lose it.
    """

    name = "line_end"
    effect: Effect = "extract"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text, with a newline at its end where one is needed."""
        after = problem.glue[1] + problem.suffix
        needs = text.strip() and not text.endswith("\n") and after and not after.startswith("\n")
        return text + "\n" if needs else text


class FencedMiddle:
    """Takes the first fenced block that holds anything, else all of the text."""

    name = "unfence"
    effect: Effect = "extract"

    def __init__(self, hole: Hole) -> None:
        self.hole = hole

    def __call__(self, text: str, problem: Problem) -> str:
        """The content of the block."""
        found = (block.code for block in blocks(text))
        block = next((code for code in found if code.strip()), None)
        if block is None:
            return text
        if self.hole != "span" or not block.endswith("\n"):
            return block
        # Markdown cannot say whether a span ends its line: the newline is the fence's, unless
        # the program parses with it alone.
        bare = block[:-1]
        only_with_it = parse(fill(bare, problem)) is None and parse(fill(block, problem))
        return block if only_with_it else bare


class ReindentLine:
    """Gives a middle of whole lines that does not fit the indentation that makes it parse."""

    name = "reindent_line"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The lines moved as one, to the first place around the hole where all of it parses."""
        lines = text.splitlines(keepends=True)
        first = next((line for line in lines if line.strip()), "")
        if not first or parse(fill(text, problem)) is not None:
            return text
        lost = first[: len(first) - len(first.lstrip())]
        if any(line.strip() and not line.startswith(lost) for line in lines):
            return text
        bare = [line[len(lost) :] if line.strip() else line for line in lines]
        for indent in _indents_around(problem):
            moved = "".join(indent + line if line.strip() else line for line in bare)
            if parse(fill(moved, problem)) is not None:
                return moved
        return text


# --------------------------------------------------------------------------- pipelines


def for_hole(
    hole: Hole, chat: bool, *, ends: Sequence[str] = END_TOKENS, repair: bool = False
) -> Pipeline:
    """The pipeline of a task with such holes: `infill`, or `infill-chat` for a chat model.

    `ends`: the tokens that end a middle in the prompt's format. `repair` adds a step that changes
    what the model wrote, whose score has a line of its own.
    """
    steps: list[PostProcessor] = [EndTokens(ends)]
    if chat:
        steps += [FencedMiddle(hole), EchoedContext(hole)]
    if hole == "line":
        steps += [FirstLine(), LineEnd()]
    else:
        steps.append(SuffixOverlap(whole_lines=hole != "span"))
        if hole == "lines":
            steps.append(LineEnd())
    if repair and hole != "span":
        steps.append(ReindentLine())
    name = "infill-chat" if chat else "infill"
    return Pipeline(
        name=f"{name}-repair" if repair else name, steps=tuple(steps), assemble=fill, infills=True
    )


INFILL_NONE = Pipeline(name="infill-none", assemble=join_only, infills=True)
"""The text as it came, as the official harness grades it."""


def _indents_around(problem: Problem) -> list[str]:
    """Indentations to try: as the line before the hole wants it, then as the line after has it."""
    before = [line for line in problem.prefix.splitlines() if line.strip()]
    after = [line for line in problem.suffix.splitlines() if line.strip()]
    found = []
    for line in [*before[-1:], *after[:1], *reversed(before[:-1])]:
        indent = line[: len(line) - len(line.lstrip())]
        found += [indent + "    ", indent] if line.rstrip().endswith(":") else [indent]
    return list(dict.fromkeys(found))
