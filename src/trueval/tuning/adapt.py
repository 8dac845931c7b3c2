"""Start from an autoregressive Qwen2 checkpoint, such as Qwen2.5-Coder, instead of random weights.

As Open-dLLM does (Zhang et al. 2025, https://github.com/pengzhangzhi/Open-dLLM): a mask token is
added, weights are copied, and attention looks both ways from the first step on. An autoregressive
output predicts the next token, which is what the shift keeps, so little must be learned anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trueval.errors import BackendError, MissingExtraError
from trueval.tuning.dataset import texts_of
from trueval.tuning.masking import Vocabulary
from trueval.tuning.net import Shape, Weights, from_hugging_face
from trueval.tuning.recipe import Recipe
from trueval.tuning.tokenizer import SPECIALS
from trueval.tuning.vocabulary import described

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EncodedTexts:
    """Documents as ids in memory: vocabularies like Qwen's do not fit into 16 bits."""

    def __init__(self, documents: Iterable[list[int]]) -> None:
        import numpy as np

        arrays = [np.array(ids, np.int32) for ids in documents]
        self._ids = np.concatenate([*arrays, np.zeros(0, np.int32)])
        self._ends = np.cumsum([0, *map(len, arrays)], dtype=np.int64)

    def __len__(self) -> int:
        """The number of documents."""
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> NDArray[np.int64]:
        """The ids of one document."""
        import numpy as np

        return self._ids[self._ends[index] : self._ends[index + 1]].astype(np.int64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each document."""
        lengths: NDArray[np.int64] = self._ends[1:] - self._ends[:-1]
        return lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the trainer begins with."""

    recipe: Recipe
    """Its shape is the checkpoint's."""
    vocabulary: Vocabulary
    tokenizer: Path
    weights: Weights
    train: EncodedTexts
    validation: EncodedTexts


def adapted(source: Path, data: Path, recipe: Recipe) -> Start:
    """The start from the checkpoint in folder `source`, with the texts of `data` in its tokens.

    Writes the tokenizer with the added tokens to `data`/adapted/<name>/tokenizer.json. Raises
    `BackendError` for a folder that holds no Qwen2 checkpoint with tied embeddings.
    """
    shape = _shape(source, recipe.shape.context)
    tokenizer = _tokenizer(source)
    vocabulary = _vocabulary(tokenizer, max(shape.vocabulary, tokenizer.get_vocab_size()))
    weights = _grown(from_hugging_face(_tensors(source), shape), vocabulary)
    folder = data / "adapted" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # text that looks like a special token is text
    train, validation = (
        EncodedTexts(
            tokenizer.encode(text, add_special_tokens=False).ids for text in texts_of(data, split)
        )
        for split in ("train", "validation")
    )
    return Start(
        recipe=replace(recipe, shape=replace(shape, vocabulary=vocabulary.size)),
        vocabulary=vocabulary,
        tokenizer=folder / "tokenizer.json",
        weights=weights,
        train=train,
        validation=validation,
    )


def _shape(source: Path, context: int) -> Shape:
    try:
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise BackendError(f"{source} has no config.json to read: {error}") from None
    if config.get("model_type") != "qwen2" or not config.get("tie_word_embeddings"):
        raise BackendError(
            f"{source} is no Qwen2 checkpoint with tied embeddings",
            hint="Qwen2.5-Coder-0.5B and 1.5B are",
        )
    if config.get("rope_scaling") or config.get("use_sliding_window"):
        raise BackendError(f"{source} scales its rotary positions, or attends in windows")
    rope = config.get("rope_parameters") or {}
    try:
        return Shape(
            vocabulary=config["vocab_size"],
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"],
            mlp=config["intermediate_size"],
            context=min(context, config["max_position_embeddings"]),
            theta=rope.get("rope_theta") or config.get("rope_theta", 10000.0),
            eps=config["rms_norm_eps"],
        )
    except KeyError as error:
        raise BackendError(f"{source}: config.json names no {error}") from None


def _tokenizer(source: Path) -> Any:
    """The checkpoint's tokenizer, with the tokens that the objective needs."""
    try:
        from tokenizers import AddedToken, Tokenizer
    except ImportError as error:
        raise MissingExtraError(
            "tokenizers", extra="transformers", needed_for="training from a checkpoint"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    except Exception as error:  # the library raises plain Exceptions
        raise BackendError(
            f"{source} has no tokenizer.json to read: {error}",
            hint="transformers writes one: AutoTokenizer.from_pretrained(...).save_pretrained(...)",
        ) from None
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIALS])
    return tokenizer


def _tensors(source: Path) -> Weights:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtraError(
            "safetensors", extra="transformers", needed_for="training from a checkpoint"
        ) from error
    files = sorted(source.glob("*.safetensors"))
    if not files:
        raise BackendError(f"{source} has no *.safetensors")
    try:
        return {name: tensor for path in files for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise BackendError(f"the tensors of {source} cannot be read: {error}") from None


def _vocabulary(tokenizer: Any, size: int) -> Vocabulary:
    """What the objective knows of a byte-level BPE whose newlines may be joined with spaces."""
    ids = range(tokenizer.get_vocab_size())
    tokens = [tokenizer.decode([number], skip_special_tokens=False).encode() for number in ids]
    return described(tokens, [tokenizer.token_to_id(token) for token in SPECIALS], size)


def _grown(weights: Weights, vocabulary: Vocabulary) -> Weights:
    """The weights with embeddings for the new tokens: the mean of the others, as it is near all."""
    embed = weights["embed"]
    mean = embed.mean(0, keepdim=True)
    grown = torch.cat([embed, mean.expand(max(0, vocabulary.size - len(embed)), -1)]).clone()
    # Checkpoints have spare rows at the end, which were never trained.
    new = [vocabulary.mask, vocabulary.end, vocabulary.pad, vocabulary.expand, vocabulary.delete]
    grown[new] = mean
    return weights | {"embed": grown}
