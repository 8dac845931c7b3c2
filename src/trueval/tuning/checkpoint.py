"""Checkpoints: `training/state.pt` to go on from, and the model as others load it.

OUT/config.json model.safetensors tokenizer.json tokenizer_config.json README.md loss.svg
OUT/training.json data.json NOTICE
OUT/training/state.pt curves.jsonl
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trueval.errors import DataError, MissingExtraError, StorageError
from trueval.tuning.masking import Vocabulary
from trueval.tuning.net import Shape, Weights, to_hugging_face

STATE = Path("training") / "state.pt"


def save_state(out: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training; a reader sees the old one or the new one, never a part."""
    path = out / STATE
    scratch = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def load_state(out: Path, device: torch.device) -> dict[str, Any]:
    """The state of an interrupted training. Raises `DataError` when it cannot be read."""
    path = out / STATE
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise DataError(
            f"nothing to resume in {out}: it has no {STATE}", hint="leave out --resume to begin"
        ) from None
    except Exception as error:  # torch raises what its readers do
        raise DataError(
            f"cannot read {path}: {error}", hint="begin anew in another folder"
        ) from None
    return state


def export(
    out: Path,
    master: Weights,
    shape: Shape,
    vocabulary: Vocabulary,
    tokenizer: Path,
    training: Mapping[str, Any],
    *,
    edits: bool,
) -> None:
    """Write the model in bfloat16, as `trueval.diffusion` and transformers load it.

    `training`: facts for config.json. `edits`: it was taught to double and delete masks, so that
    those tokens may be drawn.
    """
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise MissingExtraError(
            "safetensors", extra="transformers", needed_for="trueval train model"
        ) from error
    tensors = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous()
        for name, tensor in to_hugging_face(master, shape).items()
    }
    own: dict[str, Any] = {
        "mask_id": vocabulary.mask,
        "end_ids": [vocabulary.end],
        "pad_id": vocabulary.pad,
        "shift": True,
    }
    if edits:
        own |= {"expand_id": vocabulary.expand, "delete_id": vocabulary.delete}
    config = shape.config() | {
        "torch_dtype": "bfloat16",
        "pad_token_id": vocabulary.pad,
        "eos_token_id": vocabulary.end,
        "mask_token_id": vocabulary.mask,
        "trueval": own,
        "trueval_training": dict(training),
    }
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / "model.safetensors.part"
    save_file(tensors, scratch, metadata={"format": "pt"})
    scratch.replace(out / "model.safetensors")
    _write_json(out / "config.json", config)
    _tokenizer_files(out, vocabulary, tokenizer)


def _tokenizer_files(out: Path, vocabulary: Vocabulary, tokenizer: Path) -> None:
    text = tokenizer.read_text(encoding="utf-8")
    (out / "tokenizer.json").write_text(text, encoding="utf-8")
    names = {entry["id"]: entry["content"] for entry in json.loads(text).get("added_tokens", [])}
    roles = {"mask": vocabulary.mask, "pad": vocabulary.pad, "eos": vocabulary.end}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **{f"{role}_token": names[number] for role, number in roles.items() if number in names},
    }
    _write_json(out / "tokenizer_config.json", settings)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
