"""Reading GGUF files, sound and broken, and writing them as F16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trueval.errors import DataError
from trueval.generate.gguf import (
    GGUFInfo,
    dequantise_f16,
    read_gguf,
    token_bytes,
    why_not_openvino,
)
from trueval.generate.models import f16_gguf, local_gguf, resolve_model

gguf = pytest.importorskip("gguf")
np = pytest.importorskip("numpy")

TOKENS = ["<|im_end|>", "a", "Ġb", "Ċ", "<fim>", "<|x|>"]
KINDS = [3, 1, 1, 1, 4, 3]


def quiet(_: str) -> None: ...


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A GGUF with one matrix of each of three types."""
    path = tmp_path / "tiny-instruct.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny Instruct")
    writer.add_context_length(77)
    writer.add_chat_template("{{ messages }}")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types(KINDS)
    writer.add_eos_token_id(0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    for name, kind in {"q8": "Q8_0", "q4": "Q4_0", "half": "F16"}.items():
        values = gguf.quantize(matrix(), gguf.GGMLQuantizationType[kind])
        writer.add_tensor(name, values, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.add_tensor("norm", np.linspace(0, 1, 64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def matrix() -> Any:
    return np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)


def info(**metadata: Any) -> GGUFInfo:
    sound = {
        "general.architecture": "qwen2",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
    }
    return GGUFInfo(
        path=Path("model.gguf"),
        metadata={**sound, **metadata},
        tensor_types={"F16": 1},
        tensor_names=frozenset(metadata.pop("tensors", ())),
        f16_bytes=1,
    )


def test_a_file_says_what_its_model_is(tiny: Path) -> None:
    found = read_gguf(tiny)
    assert (found.architecture, found.name, found.context_length) == ("llama", "Tiny Instruct", 77)
    assert found.tensor_types == {"Q8_0": 1, "Q4_0": 1, "F16": 1, "F32": 1}
    assert found.end_ids == {0}
    assert found.bos_id is None
    assert found.mode == "chat"
    assert token_bytes(found) == [b"", b"a", b" b", b"\n", b"<fim>", b""]
    assert why_not_openvino(found) == ""


def test_every_length_of_a_cut_file_is_refused_by_name(tiny: Path, tmp_path: Path) -> None:
    whole = tiny.read_bytes()
    for length in [*range(0, 1200, 7), len(whole) - 1]:
        cut = tmp_path / "cut.gguf"
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.gguf is not a usable GGUF file") as caught:
            read_gguf(cut)
        assert "fetch it again" in caught.value.hint


def test_damage_anywhere_in_the_header_never_escapes(tiny: Path, tmp_path: Path) -> None:
    whole = tiny.read_bytes()
    rng = np.random.default_rng(0)
    damaged = tmp_path / "damaged.gguf"
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(4, 900, size=4):
            data[place] = rng.integers(256)
        damaged.write_bytes(data)
        try:
            read_gguf(damaged)
        except DataError:
            continue


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too few"),
        (b"PK\x03\x04" + bytes(40), "starts with"),
        (b"GGUF\x09" + bytes(40), "version is 9"),
        (b"GGUF\x03" + bytes(40), "does not say its architecture"),
    ],
)
def test_what_is_no_gguf_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(DataError, match=reason):
        read_gguf(tmp_path / "x.gguf")


def test_a_missing_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_gguf(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, ""),
        ({"general.architecture": "gemma3"}, "architecture is gemma3"),
        ({"tokenizer.ggml.pre": "deepseek-coder"}, "tokenizer is gpt2/deepseek-coder"),
        ({"tokenizer.ggml.model": "llama"}, "tokenizer is llama"),
        ({"qwen2.rope.scaling.type": "yarn"}, "rotary"),
    ],
)
def test_openvino_is_refused_what_it_would_run_wrongly(
    metadata: dict[str, Any], reason: str
) -> None:
    assert reason in why_not_openvino(info(**metadata))
    assert bool(reason) == bool(why_not_openvino(info(**metadata)))


def test_llama_3_starts_with_its_bos_token_unless_told_otherwise() -> None:
    llama = {"tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.bos_token_id": 5}
    assert info(**llama).bos_id == 5
    assert info(**llama, **{"tokenizer.ggml.add_bos_token": False}).bos_id is None
    assert info(**{"tokenizer.ggml.bos_token_id": 5}).bos_id is None


def test_dequantising_keeps_every_value_and_every_fact(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "f16.gguf"
    dequantise_f16(tiny, target, say=quiet)
    before, after = gguf.GGUFReader(tiny), gguf.GGUFReader(target)
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert (old.name, old.shape.tolist()) == (new.name, new.shape.tolist())
        exact = gguf.dequantize(old.data, old.tensor_type)
        assert np.array_equal(exact.astype(new.data.dtype), new.data)
    facts = [dict(read_gguf(path).metadata) for path in (tiny, target)]
    assert facts[1].pop("general.file_type") == gguf.LlamaFileType.MOSTLY_F16
    facts[0].pop("general.file_type")
    assert facts[0] == facts[1]


def test_weights_too_large_for_f16_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    values = gguf.quantize(matrix() * 1e6, gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("w", values, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(DataError, match="w has weights too large for F16"):
        dequantise_f16(path, tmp_path / "out.gguf", say=quiet)


def test_the_f16_twin_is_made_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path / "cache"))
    said: list[str] = []
    twin = f16_gguf(tiny, say=said.append)
    assert "as F16" in said[0]
    assert set(read_gguf(twin).tensor_types) == {"F16", "F32"}
    said.clear()
    assert f16_gguf(tiny, say=said.append) == twin
    assert said == []
    assert f16_gguf(twin, say=said.append) == twin, "what is F16 already is used as it is"


@pytest.mark.model
def test_the_embedded_model_is_read() -> None:
    found = read_gguf(local_gguf("smollm2-135m-instruct"))
    assert (found.architecture, found.context_length, found.bos_id) == ("llama", 8192, None)
    assert "SmolLM, trained by Hugging Face" in found.chat_template
    assert {0, 2} <= found.end_ids
    assert why_not_openvino(found) == ""


def test_a_gguf_file_is_run_by_what_runs_it_right(tiny: Path, tmp_path: Path) -> None:
    assert resolve_model(str(tiny)).backend == "openvino"
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes().replace(b"smollm", b"falcon"))
    assert resolve_model(str(other)).backend == "llamacpp"
