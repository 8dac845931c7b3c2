"""Steps that drop what chat templates and reasoning models put around an answer."""

from __future__ import annotations

from trueval.postprocess.parsing import defines, is_body
from trueval.types import Effect, Problem

THOUGHTS = ("think", "thinking", "thought", "reasoning", "reflection")
"""Tags that hold what a model says to itself."""

TURN_STARTS = (
    *("<|im_start|>assistant", "<|start_header_id|>assistant<|end_header_id|>"),
    *("<|start_of_role|>assistant<|end_of_role|>", "<start_of_turn>model", "<|assistant|>"),
    *("<｜Assistant｜>", "<｜begin▁of▁sentence｜>", "<|begin_of_text|>", "<|startoftext|>"),
    *("<bos>", "<s>", "[/INST]"),
)
"""What a template puts before an answer."""

TURN_ENDS = (
    *("<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|eom_id|>", "<|start_header_id|>"),
    *("<|end_of_text|>", "<|endoftext|>", "<|end|>", "<|return|>", "<|end_of_turn|>"),
    *("<end_of_turn>", "<start_of_turn>", "<|user|>", "<|assistant|>", "<|system|>"),
    *("<|observation|>", "<|EOT|>", "<EOT>", "</s>", "<eos>", "<pad>", "<|pad|>", "[INST]"),
    *("<｜end▁of▁sentence｜>", "<｜User｜>", "<|start_of_role|>", "<|file_sep|>", "<file_sep>"),
    *("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<fim_prefix>", "<fim_suffix>"),
)
"""Tokens that end an answer; an engine that does not know one hands it on as text."""


class ThinkBlocks:
    """Drops what a model says to itself before its answer."""

    name = "think_blocks"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text after the block; nothing when the answer was cut inside it."""
        if _is_answer(text, problem):
            return text
        while (rest := _after_thought(text)) != text:
            text = rest
        return text


class SpecialTokens:
    """Drops the tokens of a chat template that came through as text."""

    name = "special_tokens"
    effect: Effect = "trim"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text after the tokens that start an answer, up to the first that ends one."""
        # A right answer may have one in a string.
        if _is_answer(text, problem):
            return text
        while mark := next((m for m in TURN_STARTS if text.lstrip().startswith(m)), ""):
            text = text.lstrip().removeprefix(mark)
        ends = [end for mark in TURN_ENDS if (end := text.find(mark)) >= 0]
        return text[: min(ends)] if ends else text


def _is_answer(text: str, problem: Problem) -> bool:
    return is_body(text, problem) or defines(text, problem.entry_point)


def _after_thought(text: str) -> str:
    for tag in THOUGHTS:
        start, end = f"<{tag}>", f"</{tag}>"
        head, closed, rest = text.partition(end)
        # Some templates open the block in the prompt, so that only its end is in the answer.
        if closed and (text.lstrip().startswith(start) or start not in head):
            return rest
        if not closed and text.lstrip().startswith(start):
            return ""
    return text
