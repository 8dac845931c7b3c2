"""What a masked-diffusion checkpoint is: its family, its mask, and which tokens it may draw.

A family is recognised by config.json and the tokenizer's files, or named by the user. Nothing is
guessed: a checkpoint whose mask token is not named anywhere is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trueval.diffusion.folder import Folder, read_folder
from trueval.errors import BackendError, ConfigError, did_you_mean

__all__ = ["FAMILIES", "Adapter", "adapter_for", "family_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """How one checkpoint is asked and read. Ids are of its own vocabulary."""

    name: str
    mask_id: int
    shift: bool
    """The output at position j-1 predicts token j, as in the autoregressive model it came from."""
    bos_id: int | None = None
    """Written before the prefix."""
    close_id: int | None = None
    """Written behind a suffix."""
    end_ids: tuple[int, ...] = ()
    """A drawn one ends the gap; they may be drawn."""
    pad_id: int | None = None
    never: tuple[int, ...] = ()
    """Never drawn: mask, pad, begin and other specials, and ids that no token has."""
    expand_id: int | None = None
    """Drawn at a mask, it becomes two masks (DreamOn)."""
    delete_id: int | None = None
    """Drawn at a mask, the mask is taken out (DreamOn)."""
    block: int | None = None
    """The block size of its own semi-autoregressive decoding, where it has one."""
    infills: bool = True
    """False for block-diffusion models: they see what is left of a block only, so they complete."""
    layout: str = "qwen2"
    """Whose names its tensors bear: qwen2, qwen3 (with q/k norms) or llada."""
    chat_template: bool = False


def adapter_for(folder: Path, *, name: str | None = None) -> Adapter:
    """The adapter of the checkpoint in `folder`, or the one of the family `name`.

    Raises `ConfigError` for an unknown `name`, `BackendError` when the checkpoint is none of these
    families, or when its mask token is not named, is its pad token, or lies outside of the
    vocabulary.
    """
    if name is not None and name not in FAMILIES:
        raise ConfigError(f"unknown diffusion family {name!r}", hint=did_you_mean(name, FAMILIES))
    found = read_folder(folder)
    adapter = FAMILIES[name or _family(found)](found)
    return _checked(adapter, found)


def family_of(folder: Path) -> str | None:
    """The family of the checkpoint in `folder`; None where it is none that is known."""
    try:
        return _family(read_folder(folder))
    except BackendError:
        return None


# --------------------------------------------------------------------------- families


def _family(folder: Folder) -> str:
    """The family that config.json and the tokenizer tell of."""
    kind = folder.model_type
    if "trueval" in folder.config:
        return "trueval"
    if kind == "dream":
        named = "expand_token_id" in folder.config or "expand_token_id" in folder.generation
        return "dreamon" if named or "<|expand|>" in folder.added else "dream"
    if kind == "llada":
        return "llada"
    if kind == "sdar":
        return "sdar"
    if kind in ("a2d-qwen2", "a2d-qwen3"):
        # The two trainings share a model type; the block one says so in its published names only.
        return "bd3lm" if "bd3lm" in folder.called.lower() else "a2d"
    if kind in ("qwen2", "qwen3") and "<M>" in folder.added:
        return "open-dcoder"
    raise _not_a_family(folder)


def _not_a_family(folder: Folder) -> BackendError:
    kind, known = folder.model_type, ", ".join(sorted(FAMILIES))
    if kind == "bd3lm":
        return BackendError(
            f"{folder.called}: this block-diffusion model has a body of its own (DiT)",
            hint="BD3-LM checkpoints in Qwen's shape (model type a2d-qwen2, a2d-qwen3) can be run",
        )
    if kind in ("qwen2", "qwen3") and not folder.token_named("mask"):
        return BackendError(
            f"{folder.called} has no mask token: it is an autoregressive {kind} checkpoint",
            hint="use the transformers backend for it",
        )
    return BackendError(
        f"{folder.called}: model type {kind!r} is not a diffusion family that trueval can tell",
        hint=f"if it is one under another name, say which: {known}",
    )


def _open_dcoder(folder: Folder) -> Adapter:
    """Open-dLLM (Zhang et al. 2025): Qwen2 weights, `<M>` added, no BOS, shifted outputs."""
    return Adapter(
        name="open-dcoder",
        mask_id=folder.mask_id(token="<M>"),
        shift=True,
        end_ids=folder.end_ids("<|endoftext|>"),
        pad_id=folder.id_of("pad"),
        layout=folder.qwen_layout(),
        chat_template=folder.has_chat_template,
    )


def _dream(folder: Folder) -> Adapter:
    """Dream 7B (arXiv 2508.15487), Dream-Coder, DiffuCoder (arXiv 2506.20639)."""
    return Adapter(
        name="dream",
        mask_id=folder.mask_id(usual=151666),
        shift=True,
        bos_id=folder.id_of("bos", "<|beginoftext|>"),
        end_ids=folder.end_ids("<|endoftext|>", "<|im_end|>"),
        pad_id=folder.id_of("pad"),
        chat_template=folder.has_chat_template,
    )


def _dreamon(folder: Folder) -> Adapter:
    """DreamOn (arXiv 2602.01326): a Dream that can make a mask two, or take it out.

    It has no end token: what ends other gaps, the end-of-text token, is what deletes a mask. Behind
    the suffix the same token closes the text, in its model card and its evaluation.
    """
    delete = folder.id_of("delete", "<|delete|>")
    delete = folder.id_of("eos") if delete is None else delete
    expand = folder.id_of("expand", "<|expand|>", usual=151667)
    if expand is None or delete is None:
        raise BackendError(
            f"{folder.called}: a DreamOn checkpoint that names no expand or no delete token",
            hint="name expand_token_id and eos_token_id in config.json, or use the family dream",
        )
    dream = _dream(folder)
    ends = tuple(end for end in dream.end_ids if end != delete)
    return replace(
        dream,
        name="dreamon",
        close_id=folder.id_of("eos"),
        end_ids=ends,
        expand_id=expand,
        delete_id=delete,
    )


def _llada(folder: Folder) -> Adapter:
    """LLaDA 8B (arXiv 2502.09992): outputs predict their own position, blocks of 32 in decoding."""
    return Adapter(
        name="llada",
        mask_id=folder.mask_id(usual=126336),
        shift=False,
        end_ids=folder.end_ids("<|endoftext|>", "<|eot_id|>"),
        pad_id=folder.id_of("pad"),
        block=32,
        layout="llada",
        chat_template=folder.has_chat_template,
    )


def _a2d(folder: Folder) -> Adapter:
    """Tiny-A2D (dLLM, arXiv 2602.22661): Qwen weights adapted without a shift."""
    return Adapter(
        name="a2d",
        mask_id=folder.mask_id(),
        shift=False,
        end_ids=folder.end_ids("<|endoftext|>", "<|im_end|>"),
        pad_id=folder.id_of("pad"),
        layout=folder.qwen_layout(),
        chat_template=folder.has_chat_template,
    )


def _bd3lm(folder: Folder) -> Adapter:
    """BD3-LM (arXiv 2503.09573) as dLLM trains it: blocks of 32, completion only."""
    block = folder.config.get("block_size") or 32
    return replace(_a2d(folder), name="bd3lm", block=int(block), infills=False)


def _sdar(folder: Folder) -> Adapter:
    """SDAR (arXiv 2510.06303): Qwen3's shape, blocks of 4 unless config.json says otherwise."""
    block = folder.config.get("block_size") or folder.config.get("block_length") or 4
    mask = folder.mask_id(token="<|MASK|>")
    a2d = _a2d(folder)
    return replace(a2d, name="sdar", mask_id=mask, block=int(block), infills=False)


_OWN_KEYS = frozenset(
    ("mask_id", "shift", "bos_id", "end_ids", "pad_id", "expand_id", "delete_id", "block")
)


def _trueval(folder: Folder) -> Adapter:
    """Checkpoints of our own: Qwen2's shape, and a `trueval` key in config.json that names ids.

    Its keys: mask_id (needed), end_ids, pad_id, bos_id, expand_id, delete_id, block, and shift,
    which is true unless it says otherwise.
    """
    facts = folder.config.get("trueval")
    if not isinstance(facts, Mapping):
        raise BackendError(
            f"{folder.called}: config.json has no `trueval` key with the ids of its tokens",
            hint='add "trueval": {"mask_id": N, "end_ids": [N], "pad_id": N}',
        )
    if unknown := sorted(set(facts) - _OWN_KEYS):
        hint = did_you_mean(unknown[0], _OWN_KEYS)
        raise BackendError(f"{folder.called}: unknown `trueval` key {unknown[0]!r}", hint=hint)
    if facts.get("mask_id") is None:
        raise folder.no_mask("config.json names no mask_id under `trueval`")
    for key, value in facts.items():
        if value is not None and not _fits(key, value):
            raise BackendError(
                f"{folder.called}: the `trueval` key {key!r} cannot be {value!r}",
                hint="end_ids is a list of ids, shift true or false, the others are whole numbers",
            )
    own: dict[str, Any] = {"shift": True, **facts, "end_ids": tuple(facts.get("end_ids") or ())}
    return Adapter(name="trueval", layout=folder.qwen_layout(), **own)


def _fits(key: str, value: object) -> bool:
    """Whether a value is of the kind that an own key takes; ids are checked with all others'."""
    if key == "shift":
        return isinstance(value, bool)
    if key == "end_ids":
        return isinstance(value, list) and all(type(number) is int for number in value)
    return type(value) is int and (key != "block" or value > 0)


FAMILIES: Mapping[str, Callable[[Folder], Adapter]] = {
    "open-dcoder": _open_dcoder,
    "dream": _dream,
    "dreamon": _dreamon,
    "llada": _llada,
    "a2d": _a2d,
    "bd3lm": _bd3lm,
    "sdar": _sdar,
    "trueval": _trueval,
}
"""Every family by name."""


# --------------------------------------------------------------------------- checks


def _checked(adapter: Adapter, folder: Folder) -> Adapter:
    """The adapter with its ids checked against the vocabulary, and `never` filled in."""
    if adapter.mask_id == adapter.pad_id:
        raise BackendError(
            f"{folder.called}: its mask token is its pad token ({adapter.mask_id}), so what is"
            " masked cannot be told from what is padding",
            hint="set pad_token_id in config.json to the id of its true pad token",
        )
    drawn = {*adapter.end_ids, adapter.expand_id, adapter.delete_id} - {None}
    ids = {adapter.mask_id, adapter.pad_id, adapter.bos_id, adapter.close_id, *drawn} - {None}
    for number in ids:
        if not isinstance(number, int) or not 0 <= number < folder.vocab_size:
            raise BackendError(
                f"{folder.called}: the special token {number!r} is outside of the vocabulary"
                f" of {folder.vocab_size}",
                hint="check config.json and the tokenizer's files: they may be of two models",
            )
    if adapter.mask_id in drawn:
        raise BackendError(
            f"{folder.called}: its mask token {adapter.mask_id} is also an end, expand or delete"
            " token",
            hint="check the ids in config.json and the tokenizer's files",
        )
    never = (ids | folder.specials | folder.nameless) - drawn
    return replace(adapter, never=tuple(sorted(number for number in never if number is not None)))
