"""What the objective knows of a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trueval.tuning.masking import Vocabulary

if TYPE_CHECKING:
    from trueval.tuning.tokenizer import SourceTokenizer


def vocabulary_of(tokenizer: SourceTokenizer) -> Vocabulary:
    """The special ids, which tokens end a line, and which begin or end a docstring."""
    specials = (
        tokenizer.mask_id,
        tokenizer.end_id,
        tokenizer.pad_id,
        tokenizer.expand_id,
        tokenizer.delete_id,
    )
    tokens = [tokenizer.token(number) for number in range(tokenizer.vocabulary)]
    return described(tokens, specials, tokenizer.vocabulary)


def described(tokens: Sequence[bytes], specials: Sequence[int], size: int) -> Vocabulary:
    """The vocabulary of these tokens, with embeddings for `size`.

    `specials`: the ids of mask, end, pad, expand and delete.
    """
    import numpy as np

    mask, end, pad, expand, delete = specials
    ends_line, quotes = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for number, token in enumerate(tokens):
        ends_line[number], quotes[number] = b"\n" in token, _odd_quotes(token)
    return Vocabulary(
        size=size,
        mask=mask,
        end=end,
        pad=pad,
        expand=expand,
        delete=delete,
        ends_line=ends_line,
        quotes=quotes,
    )


def _odd_quotes(token: bytes) -> bool:
    """Whether what comes after a token is in a docstring when what comes before is not."""
    return (token.count(b'"""') + token.count(b"'''")) % 2 == 1
