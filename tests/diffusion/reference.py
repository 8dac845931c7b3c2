"""Slow and plain ways to a checkpoint's logits, to compare the engine's body with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor


def reference_logits(folder: Path, ids: Tensor, block: int | None = None) -> Tensor:
    """Every output of a row of ids [L], unshifted: [L, vocab] float32, attention in both ways.

    `block`: each position sees the blocks of so many that end with its own.
    """
    config = json.loads((folder / "config.json").read_text())
    tensors: dict[str, Tensor] = {}
    for path in folder.glob("*.safetensors"):
        tensors |= load_file(path)
    if config["model_type"] == "llada":
        return _llada(config, tensors, ids)
    return _transformers(config, tensors, ids, block or len(ids))


def _transformers(
    config: dict[str, Any], tensors: dict[str, Tensor], ids: Tensor, block: int
) -> Tensor:
    import transformers

    three = "model.layers.0.self_attn.q_norm.weight" in tensors
    kind = transformers.Qwen3Config if three else transformers.Qwen2Config
    net = transformers.Qwen3ForCausalLM if three else transformers.Qwen2ForCausalLM
    skipped = ("model_type", "architectures", "trueval", "torch_dtype", "rope_theta")
    said = {key: value for key, value in config.items() if key not in skipped}
    said |= {"tie_word_embeddings": "lm_head.weight" not in tensors}
    said["rope_parameters"] = {"rope_type": "default", "rope_theta": config["rope_theta"]}
    model = net._from_config(kind(**said), attn_implementation="eager").eval()
    left = model.load_state_dict(tensors, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}
    model.tie_weights()
    # Added to the scores: a staircase, as SDAR's generate.py repeats a triangle of blocks.
    count = -(-len(ids) // block)
    stairs = torch.ones(count, count).tril().repeat_interleave(block, 0)
    stairs = stairs.repeat_interleave(block, 1)[: len(ids), : len(ids)]
    mask = torch.zeros_like(stairs).masked_fill(stairs == 0, -torch.inf)[None, None]
    with torch.no_grad():
        # That the mask is taken as it is, not made causal: a block's last token moves its first.
        other, last = ids.clone(), min(block, len(ids)) - 1
        other[last] = (ids[last] + 1) % 200
        first = [model(row[None], attention_mask=mask).logits[0] for row in (ids, other)]
    assert not torch.allclose(first[0][0], first[1][0])
    return first[0].float()


def _llada(config: dict[str, Any], tensors: dict[str, Tensor], ids: Tensor) -> Tensor:
    """LLaDA's forward as its paper and OLMo's (arXiv 2402.00838) describe it, token by token."""
    heads = config["n_heads"]
    dim = config["d_model"] // heads
    pairs = dim // 2
    angle = torch.tensor([config["rope_theta"] ** (-2 * i / dim) for i in range(pairs)])

    def norm(x: Tensor, name: str) -> Tensor:
        scale = torch.sqrt((x * x).mean() + config["rms_norm_eps"])
        return x / scale * tensors[f"{name}.weight"]

    def turned(x: Tensor, place: int) -> Tensor:
        cos, sin = torch.cos(place * angle), torch.sin(place * angle)
        left, right = x[:pairs], x[pairs:]
        return torch.cat((left * cos - right * sin, right * cos + left * sin))

    x = [tensors["model.transformer.wte.weight"][int(token)] for token in ids]
    for layer in range(config["n_layers"]):
        name = f"model.transformer.blocks.{layer}"
        matrix = {
            part: tensors[f"{name}.{part}.weight"]
            for part in ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out")
        }
        normed = [norm(token, f"{name}.attn_norm") for token in x]
        q, k, v = (
            [(matrix[part] @ token).view(heads, dim) for token in normed]
            for part in ("q_proj", "k_proj", "v_proj")
        )
        for place in range(len(x)):
            mixed = []
            for head in range(heads):
                query = turned(q[place][head], place)
                scores = [query @ turned(k[j][head], j) / dim**0.5 for j in range(len(x))]
                odds = torch.stack(scores).softmax(0)
                mixed.append(sum(odds[j] * v[j][head] for j in range(len(x))))
            x[place] = x[place] + matrix["attn_out"] @ torch.cat(
                [torch.as_tensor(m) for m in mixed]
            )
            y = norm(x[place], f"{name}.ff_norm")
            gate = F.silu(matrix["ff_proj"] @ y)
            x[place] = x[place] + matrix["ff_out"] @ (gate * (matrix["up_proj"] @ y))
    head = tensors["model.transformer.ff_out.weight"]
    return torch.stack([head @ norm(token, "model.transformer.ln_f") for token in x])
