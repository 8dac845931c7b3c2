"""A tiny model whose every token alone decides the next: what it writes is known beforehand.

Its embeddings are the unit vectors, attention and MLP are zero, and the output matrix holds the
chain. So a test sees whether a token reached the model as one, and where a text ended.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SPECIAL = (
    *("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|custom|>"),
)
SIZE = 288
CHAIN = {"<|fim_middle|>": "x", "x": "y", "y": "<|custom|>", "<|custom|>": "Z", "Z": "Z"}
"""After the middle's token it writes xy, a control token that engines do not end at, and Zs."""


def alphabet() -> list[str]:
    """A character for each byte, as byte-level BPE has them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable} | {b: chr(256 + n) for n, b in enumerate(rest)}
    return [table[byte] for byte in range(256)]


def vocabulary() -> list[str]:
    """Bytes, special tokens, one merged pair, and tokens that stand for nothing."""
    tokens = [*alphabet(), *SPECIAL, "qq"]
    return tokens + [f"<unused{number}>" for number in range(SIZE - len(tokens))]


def output_matrix(chain: Mapping[str, str]) -> Any:
    """[next token, token]: 1 where the one follows the other."""
    import numpy as np

    ids = {token: number for number, token in enumerate(vocabulary())}
    matrix = np.zeros((SIZE, SIZE), dtype=np.float16)
    for token, following in chain.items():
        matrix[ids[following], ids[token]] = 1
    return matrix


def write_gguf(path: Path, chain: Mapping[str, str] = CHAIN) -> Path:
    """The model as a GGUF file with the architecture of Qwen2."""
    import gguf

    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("chain")
    writer.add_context_length(512)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary())
    kinds = [1] * 256 + [3] * len(SPECIAL) + [1]
    writer.add_token_types(kinds + [5] * (SIZE - len(kinds)))
    writer.add_token_merges(["q q"])  # engines want at least one
    writer.add_eos_token_id(256)
    writer.add_add_bos_token(False)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_weights(writer, chain)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_weights(writer: Any, chain: Mapping[str, str]) -> None:
    import numpy as np

    def add(name: str, *shape: int, value: float = 0) -> None:
        dtype = np.float16 if len(shape) > 1 else np.float32
        writer.add_tensor(name, np.full(shape, value, dtype=dtype))

    writer.add_tensor("token_embd.weight", np.eye(SIZE, dtype=np.float16))
    writer.add_tensor("output.weight", output_matrix(chain))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        add(f"{name}.weight", SIZE, value=1)
    for name in ("q", "k", "v"):
        add(f"blk.0.attn_{name}.weight", SIZE, SIZE)
        add(f"blk.0.attn_{name}.bias", SIZE)
    add("blk.0.attn_output.weight", SIZE, SIZE)
    add("blk.0.ffn_gate.weight", 32, SIZE)
    add("blk.0.ffn_up.weight", 32, SIZE)
    add("blk.0.ffn_down.weight", SIZE, 32)


def write_checkpoint(folder: Path, chain: Mapping[str, str] = CHAIN) -> Path:
    """The same model as a transformers checkpoint."""
    import torch
    import transformers

    tokenizers: Any = importlib.import_module("tokenizers")  # comes with transformers

    ids = {token: number for number, token in enumerate(vocabulary())}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIAL[0], additional_special_tokens=[*SPECIAL[1:]]
    )
    fast.save_pretrained(folder)
    config = transformers.Qwen2Config(
        vocab_size=SIZE,
        hidden_size=SIZE,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        eos_token_id=ids[SPECIAL[0]],
        tie_word_embeddings=False,
    )
    net = transformers.Qwen2ForCausalLM(config)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            weight.fill_(1.0 if name.endswith("norm.weight") else 0.0)
        net.model.embed_tokens.weight.copy_(torch.eye(SIZE))
        net.lm_head.weight.copy_(torch.from_numpy(output_matrix(chain)).float())
    net.save_pretrained(folder)
    return folder
