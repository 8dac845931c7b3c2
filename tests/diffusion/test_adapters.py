from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.diffusion.checkpoints import VOCAB, config_of, token_ids, write_checkpoint  # noqa: E402
from trueval.diffusion.adapters import FAMILIES, adapter_for  # noqa: E402
from trueval.errors import BackendError, ConfigError  # noqa: E402

EXPECTED: dict[str, dict[str, Any]] = {
    "open-dcoder": {"mask": "<M>", "shift": True, "ends": ["<|endoftext|>"], "layout": "qwen2"},
    "dream": {
        **{"mask": "<|mask|>", "shift": True, "bos": "<|beginoftext|>", "layout": "qwen2"},
        "ends": ["<|endoftext|>", "<|im_end|>"],
    },
    "dreamon": {
        **{"mask": "<|mask|>", "shift": True, "bos": "<|beginoftext|>", "ends": ["<|im_end|>"]},
        **{"expand": "<|expand|>", "delete": "<|endoftext|>", "layout": "qwen2"},
    },
    "llada": {
        **{"mask": "<|mdm_mask|>", "shift": False, "ends": ["<|endoftext|>", "<|eot_id|>"]},
        **{"block": 32, "layout": "llada"},
    },
    "a2d": {"mask": "<|mask|>", "shift": False, "layout": "qwen3"},
    "bd3lm": {"mask": "<|mask|>", "shift": False, "block": 32, "infills": False},
    "sdar": {"mask": "<|MASK|>", "shift": False, "block": 4, "infills": False, "layout": "qwen3"},
    "trueval": {
        **{"mask": "<M>", "shift": True, "ends": ["<|endoftext|>"], "layout": "qwen2"},
        **{"expand": "<|expand|>", "delete": "<|delete|>"},
    },
}


@pytest.mark.parametrize("family", EXPECTED)
def test_a_family_is_told_by_its_files(family: str, tmp_path: Path) -> None:
    adapter = adapter_for(write_checkpoint(tmp_path, family))
    expected, ids = EXPECTED[family], token_ids(family)
    assert adapter.name == family
    assert (adapter.mask_id, adapter.shift) == (ids[expected["mask"]], expected["shift"])
    for role in ("bos", "expand", "delete"):
        assert getattr(adapter, f"{role}_id") == ids.get(expected.get(role, ""))
    if "ends" in expected:
        assert adapter.end_ids == tuple(sorted(ids[token] for token in expected["ends"]))
    assert adapter.block == expected.get("block")
    assert adapter.infills is expected.get("infills", True)
    assert adapter.layout == expected.get("layout", adapter.layout)


@pytest.mark.parametrize("family", EXPECTED)
def test_only_text_ends_and_edits_may_be_drawn(family: str, tmp_path: Path) -> None:
    adapter = adapter_for(write_checkpoint(tmp_path, family))
    may = set(range(VOCAB)) - set(adapter.never)
    marks = {*adapter.end_ids, adapter.expand_id, adapter.delete_id} - {None}
    text = set(range(min(token_ids(family).values())))
    assert may == text | marks


@pytest.mark.parametrize("family", EXPECTED)
def test_a_family_can_be_named(family: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, family)
    assert adapter_for(folder, name=family) == adapter_for(folder)


def test_a_block_training_is_told_from_a_whole_one_by_name(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "a2d")
    assert adapter_for(folder).infills
    assert not adapter_for(folder, name="bd3lm").infills


def test_the_published_ids_count_where_the_files_name_none(tmp_path: Path) -> None:
    tokens = {"151666": {"content": "<|mask|>", "special": True}}
    tokens["151667"] = {"content": "<|expand|>", "special": True}
    tokens["151643"] = {"content": "<|endoftext|>", "special": True}
    settings = {"added_tokens_decoder": tokens, "eos_token": "<|endoftext|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    config = {"model_type": "Dream", "vocab_size": 152064}
    (tmp_path / "config.json").write_text(json.dumps(config))
    adapter = adapter_for(tmp_path)
    assert adapter.name == "dreamon"
    assert (adapter.mask_id, adapter.expand_id, adapter.delete_id) == (151666, 151667, 151643)


def edited(folder: Path, family: str, **keys: Any) -> Path:
    return write_checkpoint(folder, family, config=keys)


def without_mask(folder: Path, family: str) -> Path:
    """A checkpoint whose tokenizer names no mask token, by role or by name."""
    write_checkpoint(folder, family, config={"mask_token_id": None})
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("mask_token", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("family", ["dream", "llada", "a2d"])
def test_a_checkpoint_that_names_no_mask_is_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="names a mask token") as caught:
        adapter_for(without_mask(tmp_path, family))
    assert "mask_token_id" in caught.value.hint


def test_an_own_checkpoint_must_name_its_mask(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="mask_id under `trueval`"):
        adapter_for(edited(tmp_path, "trueval", trueval={"end_ids": [1]}))
    with pytest.raises(BackendError, match=r"unknown `trueval` key 'mask'"):
        adapter_for(edited(tmp_path, "trueval", trueval={"mask": 1}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("end_ids", value) for value in (6, "6", [[6]], [True])),
        *(("mask_id", value) for value in ("5", True)),
        *(("block", value) for value in (0, "4")),
        *(("shift", "no"), ("pad_id", [1])),
    ],
)
def test_an_own_key_of_the_wrong_kind_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=f"`trueval` key '{key}' cannot be"):
        adapter_for(edited(tmp_path, "trueval", trueval={"mask_id": 5, key: value}))


@pytest.mark.parametrize("family", ["open-dcoder", "dream", "llada", "a2d"])
def test_a_mask_that_is_the_pad_is_refused(family: str, tmp_path: Path) -> None:
    mask = token_ids(family)[EXPECTED[family]["mask"]]
    with pytest.raises(BackendError, match="its mask token is its pad token"):
        adapter_for(edited(tmp_path, family, pad_token_id=mask))


def test_files_that_disagree_on_the_mask_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="the mask token is 7, and the tokenizer"):
        adapter_for(edited(tmp_path, "dream", mask_token_id=7))


def test_ids_outside_of_the_vocabulary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="outside of the vocabulary"):
        adapter_for(edited(tmp_path, "trueval", trueval={"mask_id": VOCAB}))


def test_a_mask_that_ends_a_gap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="also an end"):
        adapter_for(edited(tmp_path, "trueval", trueval={"mask_id": 5, "end_ids": [5]}))


def test_an_autoregressive_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="autoregressive") as caught:
        adapter_for(write_checkpoint(tmp_path, "qwen2"))
    assert "transformers" in caught.value.hint


@pytest.mark.parametrize("kind", ["bd3lm", "gpt2", None])
def test_another_model_type_is_refused(kind: str | None, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="DiT" if kind == "bd3lm" else "not a diffusion family"):
        adapter_for(edited(tmp_path, "dream", model_type=kind))


def test_an_unknown_name_is_met_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'dream'"):
        adapter_for(write_checkpoint(tmp_path, "dream"), name="dreem")
    assert set(FAMILIES) == set(EXPECTED)


def test_a_folder_without_a_config_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"no config\.json"):
        adapter_for(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BackendError, match="not JSON"):
        adapter_for(tmp_path)


def test_the_helper_writes_every_family_there_is() -> None:
    assert {config_of(family)["vocab_size"] for family in EXPECTED} == {VOCAB}
