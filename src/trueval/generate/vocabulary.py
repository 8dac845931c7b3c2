"""Which FIM tokens a model's vocabulary has, and which stop sequences are tokens of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

FIM_TOKENS = (
    *("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"),
    *("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"),
    *("<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>"),
    *("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"),
    *("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    *("[PREFIX]", "[SUFFIX]", "[MIDDLE]"),
    *("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>", "<|user|>", "<|assistant|>"),
    *("<|repo_name|>", "<|file_sep|>", "<|file_separator|>", "<|start_of_role|>"),
    *("<repo_name>", "<file_sep>", "<reponame>", "<filename>"),
)
"""Tokens that FIM formats are made of or told apart by."""


def fim_tokens(special: Iterable[str]) -> list[str]:
    """Those of a vocabulary's special tokens that an infilling prompt may need, sorted."""
    known = set(FIM_TOKENS)
    # A format of tomorrow will call its tokens so too, and an error can then name them.
    return sorted({token for token in special if token in known or "fim" in token.lower()})


def stops_as_tokens(stop: Sequence[str], ids: Mapping[str, int]) -> set[int]:
    """The ids of the stop sequences that are special tokens.

    Engines leave special tokens out of a text, so that as text such a stop would never be met.
    """
    return {ids[sequence] for sequence in stop if sequence in ids}


def special_stops(stop: Collection[str]) -> list[str]:
    """The stop sequences that are written as special tokens are, where no vocabulary is at hand."""
    ends = {"<": ">", "▁": ">", "[": "]"}
    return [s for s in stop if len(s) > 2 and s.endswith(ends.get(s[0], "\0")) and "\n" not in s]
