"""Reads GGUF files: what a model is, whether OpenVINO can run it, and its weights as F16."""

from __future__ import annotations

import mmap
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from trueval.errors import DataError, MissingExtraError
from trueval.generate.common import guess_mode, say_to_stderr
from trueval.types import Mode

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_STRING, _ARRAY = 8, 9

_OPENVINO_ARCHITECTURES = ("llama", "qwen2", "qwen3")
_OPENVINO_TOKENIZERS = ("smollm", "qwen2", "llama-bpe")
"""Pre-tokenizers that openvino-genai splits as the model was trained; it guesses at all others."""

_END_TOKENS = frozenset(
    {
        *("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<|EOT|>"),
        *("<end_of_turn>", "</s>"),
        *("<file_sep>", "<|file_sep|>", "<repo_name>", "<|repo_name|>", "<reponame>"),
    }
)
"""Control tokens after which a text does not go on, in the models that trueval is used with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GGUFInfo:
    """What a GGUF file says of its model, without its weights."""

    path: Path
    metadata: Mapping[str, Any]
    tensor_types: Mapping[str, int]
    """Type name -> how many tensors have it."""
    tensor_names: frozenset[str]
    f16_bytes: int
    """About how large the file is with every matrix as F16."""

    @property
    def architecture(self) -> str:
        """`llama`, `qwen2`, ..."""
        return str(self.metadata["general.architecture"])

    @property
    def name(self) -> str:
        """The model's own name, or the file's when it has none."""
        return str(self.metadata.get("general.name") or self.path.stem)

    @property
    def chat_template(self) -> str:
        """Jinja source; empty when the model has none."""
        return str(self.metadata.get("tokenizer.chat_template") or "")

    @property
    def context_length(self) -> int:
        """How many tokens prompt and text may have together."""
        return int(self.metadata.get(f"{self.architecture}.context_length", 2048))

    @property
    def bos_id(self) -> int | None:
        """The token to put before a prompt, or None when the model was not trained with one."""
        default = self.metadata.get("tokenizer.ggml.pre") == "llama-bpe"
        if not self.metadata.get("tokenizer.ggml.add_bos_token", default):
            return None
        return self.metadata.get("tokenizer.ggml.bos_token_id")

    @property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end a text."""
        tokens = self.metadata.get("tokenizer.ggml.tokens", [])
        kinds = self.metadata.get("tokenizer.ggml.token_type", [])
        control = {i for i, kind in enumerate(kinds) if kind == 3 and tokens[i] in _END_TOKENS}
        named = {self.metadata.get(f"tokenizer.ggml.{end}_token_id") for end in ("eos", "eot")}
        return frozenset(control | {int(i) for i in named if i is not None})

    @property
    def special_ids(self) -> dict[str, int]:
        """The tokens that are more than their text: control tokens and those added by hand."""
        get, parts = self.metadata.get, ("pre", "suf", "mid", "pad", "rep", "sep")
        tokens, kinds = get("tokenizer.ggml.tokens", []), get("tokenizer.ggml.token_type", [])
        named = {get(f"tokenizer.ggml.fim_{part}_token_id") for part in parts}
        return {tokens[i]: i for i, kind in enumerate(kinds) if kind in (3, 4) or i in named}

    @property
    def quantisation(self) -> str:
        """The type of most matrices: `Q4_1`, `F16`."""
        matrices = {k: n for k, n in self.tensor_types.items() if k != "F32"}
        types = matrices or self.tensor_types
        return max(types, key=lambda k: self.tensor_types[k], default="none")

    @property
    def mode(self) -> Mode:
        """`chat` when it has a chat template and is named as an instruct model."""
        named = f"{self.path.stem} {self.name} {self.metadata.get('general.finetune', '')}"
        return guess_mode(named) if self.chat_template else "completion"


def why_not_openvino(info: GGUFInfo) -> str:
    """Why OpenVINO would run this model wrongly or not at all; empty when it runs it right."""
    get = info.metadata.get
    arch = info.architecture
    if arch not in _OPENVINO_ARCHITECTURES:
        return f"its architecture is {arch}, not one of {', '.join(_OPENVINO_ARCHITECTURES)}"
    if get("tokenizer.ggml.model") != "gpt2" or (
        get("tokenizer.ggml.pre") not in _OPENVINO_TOKENIZERS
    ):
        return f"its tokenizer is {get('tokenizer.ggml.model')}/{get('tokenizer.ggml.pre')}"
    scaling = get(f"{arch}.rope.scaling.type", "none")
    if scaling != "none" or "rope_freqs.weight" in info.tensor_names:
        return "it scales its rotary positions"
    return ""


def token_bytes(info: GGUFInfo) -> list[bytes]:
    """The bytes of each token of a byte-level BPE vocabulary; none for control tokens."""
    tokens = info.metadata["tokenizer.ggml.tokens"]
    kinds = info.metadata.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    table = _byte_of_character()
    out = []
    for token, kind in zip(tokens, kinds, strict=True):
        if kind == 3:
            out.append(b"")
        elif kind == 1 and all(c in table for c in token):
            out.append(bytes(table[c] for c in token))
        else:  # tokens that were added later are plain text
            out.append(token.encode("utf-8", "surrogateescape"))
    return out


@cache
def _byte_of_character() -> dict[str, int]:
    """GPT-2's table: printable bytes stand for themselves, the others for characters past 255."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(rest)}


# --------------------------------------------------------------------------- reading


def read_gguf(path: Path) -> GGUFInfo:
    """What a GGUF file holds. Raises `DataError` that says what is wrong with it."""
    try:
        about = path.stat()
        return _read(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        said = error.strerror or error
        raise DataError(f"cannot read {path}: {said}", hint="check its path and rights") from error


@lru_cache(maxsize=4)  # a vocabulary takes a fifth of a second, and several parts ask for it
def _read(path: Path, size: int, _changed: int) -> GGUFInfo:
    with path.open("rb") as file:
        if size < 24:
            raise _bad(path, f"it has {size} bytes, which is too few")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(path, data, size).read()


def _bad(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} is not a usable GGUF file: {what}",
        hint="compare its size and sha256 with the publisher's, and fetch it again",
    )


class _Reader:
    """Walks a GGUF header: own code, for `gguf` takes seconds and its errors name no file."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self.path, self.data, self.size, self.at = path, data, size, 0

    def read(self) -> GGUFInfo:
        if self.data[:4] != b"GGUF":
            raise _bad(self.path, f"it starts with {self.data[:4]!r}, not b'GGUF'")
        self.at = 4
        version = self.scalar("I")
        if version not in (2, 3):
            raise _bad(self.path, f"its version is {version}; 2 and 3 can be read")
        tensors, pairs = self.scalar("Q"), self.scalar("Q")
        metadata = {}
        for _ in range(pairs):
            key = self.string()
            metadata[key] = self.value(self.scalar("I"))
        if not isinstance(metadata.get("general.architecture"), str):
            raise _bad(self.path, "it does not say its architecture")
        return self.tensor_info(metadata, tensors)

    def tensor_info(self, metadata: dict[str, Any], count: int) -> GGUFInfo:
        sizes, names = _type_sizes(), set()
        types: Counter[str] = Counter()
        end = f16_bytes = 0
        for _ in range(count):
            names.add(self.string())
            shape = [self.scalar("Q") for _ in range(self.scalar("I"))]
            kind, offset = self.scalar("I"), self.scalar("Q")
            if kind not in sizes:
                raise _bad(self.path, f"it has a tensor of unknown type {kind}")
            label, block, block_bytes = sizes[kind]
            elements = 1
            for extent in shape:
                elements *= extent
            types[label] += 1
            end = max(end, offset + elements // block * block_bytes)
            f16_bytes += elements * (2 if len(shape) > 1 else 4)
        self.check_length(end, metadata.get("general.alignment", 32))
        return GGUFInfo(
            path=self.path,
            metadata=metadata,
            tensor_types=dict(types),
            tensor_names=frozenset(names),
            f16_bytes=f16_bytes + self.at,
        )

    def check_length(self, end: int, alignment: int) -> None:
        if not isinstance(alignment, int) or alignment < 1:
            raise _bad(self.path, f"its alignment is {alignment}")
        needed = -(-self.at // alignment) * alignment + end
        if needed > self.size:
            raise _bad(self.path, f"it is cut short: {self.size} bytes of {needed}")

    def scalar(self, code: str) -> Any:
        try:
            (value,) = struct.unpack_from("<" + code, self.data, self.at)
        except struct.error:
            raise self.cut_short() from None
        self.at += struct.calcsize("<" + code)
        return value

    def string(self) -> str:
        length = self.scalar("Q")
        if length > self.size - self.at:
            raise self.cut_short()
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8", "surrogateescape")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise _bad(self.path, f"it has a value of unknown type {kind} at byte {self.at}")
        return self.scalar(_SCALARS[kind])

    def array(self) -> list[Any]:
        kind, count = self.scalar("I"), self.scalar("Q")
        if count > self.size - self.at:  # every element has a byte at least
            raise self.cut_short()
        if kind not in _SCALARS:
            return [self.value(kind) for _ in range(count)]
        code = f"<{count}{_SCALARS[kind]}"
        if struct.calcsize(code) > self.size - self.at:
            raise self.cut_short()
        values = list(struct.unpack_from(code, self.data, self.at))
        self.at += struct.calcsize(code)
        return values

    def cut_short(self) -> DataError:
        return _bad(self.path, f"its header is cut short or damaged at byte {self.at}")


def _type_sizes() -> dict[int, tuple[str, int, int]]:
    """Type number -> name, elements in a block, bytes in a block."""
    gguf = _gguf()
    return {
        int(kind): (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType
    }


def _gguf() -> Any:
    try:
        import gguf
    except ImportError:
        raise MissingExtraError("gguf", extra="embedded", needed_for="a GGUF model") from None
    return gguf


# --------------------------------------------------------------------------- dequantising


def dequantise_f16(
    source: Path, target: Path, *, say: Callable[[str], None] = say_to_stderr
) -> None:
    """Write `source` again with every matrix as F16 and every vector as F32."""
    import numpy as np

    gguf = _gguf()
    read_gguf(source)  # gguf's own reader raises an IndexError where this one says what is wrong
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    _copy_metadata(gguf, reader, writer)
    for tensor in reader.tensors:
        shape = tuple(reversed(tensor.shape.tolist()))
        dtype = np.dtype(np.float16 if len(shape) > 1 else np.float32)
        writer.add_tensor_info(tensor.name, shape, dtype, int(tensor.n_elements) * dtype.itemsize)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        _copy_tensors(gguf, reader, writer, source, say)
    finally:
        writer.close()


def _copy_tensors(
    gguf: Any, reader: Any, writer: Any, source: Path, say: Callable[[str], None]
) -> None:
    import numpy as np

    spoke = time.monotonic()
    for done, tensor in enumerate(reader.tensors):
        if time.monotonic() - spoke > 1.5:
            spoke = time.monotonic()
            say(f"  {done}/{len(reader.tensors)} tensors")
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        if values.ndim > 1:
            values = _as_f16(values, source, tensor.name)
        writer.write_tensor_data(np.ascontiguousarray(values))


def _as_f16(values: Any, source: Path, name: str) -> Any:
    import numpy as np

    if float(np.abs(values).max()) > float(np.finfo(np.float16).max):
        raise DataError(
            f"{source}: {name} has weights too large for F16",
            hint="use the llamacpp backend, which runs the file as it is",
        )
    return values.astype(np.float16)


def _copy_metadata(gguf: Any, reader: Any, writer: Any) -> None:
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        if field.name == "general.file_type":
            writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
