"""The network that is trained: Qwen2's shape with attention in both directions.

RMSNorm, grouped-query attention with rotary positions and biases on queries, keys and values,
SwiGLU, tied embeddings (Qwen2, arXiv 2407.10671). Weights lie fused as the passes need them;
`to_hugging_face` and `from_hugging_face` know the names and shapes of Qwen2 checkpoints.

Master weights are float32. What runs is a copy in bfloat16, made once a step, in which the gain of
a norm is already multiplied into the matrix that follows it: the norm then only scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trueval.errors import ConfigError, DataError
from trueval.tuning.passes import attention, embedding, gated, rms, rotary_tables
from trueval.tuning.plain import Plain

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a network."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    context: int = 1024
    """The most positions a row has in training."""
    theta: float = 10000.0
    """The base of the rotary positions: rows are short, so Qwen's 1e6 would waste most of them."""
    eps: float = 1e-6

    def __post_init__(self) -> None:
        sizes = (self.vocabulary, self.hidden, self.layers, self.heads, self.kv_heads, self.mlp)
        if min(sizes) < 1:
            raise ConfigError(f"a network of sizes {sizes}", hint="each of them is 1 or more")
        if self.hidden % self.heads or self.heads % self.kv_heads or self.head_size % 2:
            raise ConfigError(
                f"hidden {self.hidden}, {self.heads} heads, {self.kv_heads} key heads: do not fit",
                hint="hidden = heads x an even number, heads = kv_heads x a number",
            )

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.hidden // self.heads

    @property
    def kv(self) -> int:
        """Width of all keys."""
        return self.kv_heads * self.head_size

    @property
    def parameters(self) -> int:
        """How many numbers are trained; the head is the embedding."""
        h, qkv = self.hidden, self.hidden + 2 * self.kv
        layer = qkv * (h + 1) + h * h + 3 * self.mlp * h + 2 * h
        return self.vocabulary * h + self.layers * layer + h

    def config(self) -> dict[str, Any]:
        """The sizes in the words of a Qwen2 config.json."""
        return {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "hidden_act": "silu",
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "intermediate_size": self.mlp,
            "max_position_embeddings": self.context,
            "rope_theta": self.theta,
            "rms_norm_eps": self.eps,
            "tie_word_embeddings": True,
            "attention_dropout": 0.0,
            "use_sliding_window": False,
        }


def initial(shape: Shape, seed: int) -> Weights:
    """Fresh float32 master weights: normal, and nothing where they write to the residual stream.

    So the stream begins as the embeddings alone. The head is the same embeddings, and says at
    first what it reads: larger ones would make that hard to unlearn.
    """
    random = torch.Generator().manual_seed(seed)

    def normal(rows: int, columns: int, std: float) -> Tensor:
        return torch.randn(rows, columns, generator=random) * std

    h = shape.hidden
    weights = {"embed": normal(shape.vocabulary, h, 0.8 * h**-0.5), "norm": torch.ones(h)}
    for i in range(shape.layers):
        weights |= {
            f"{i}.attention_norm": torch.ones(h),
            f"{i}.qkv": normal(h + 2 * shape.kv, h, h**-0.5),
            f"{i}.qkv_bias": torch.zeros(h + 2 * shape.kv),
            f"{i}.out": torch.zeros(h, h),
            f"{i}.mlp_norm": torch.ones(h),
            f"{i}.gate_up": normal(2 * shape.mlp, h, h**-0.5),
            f"{i}.down": torch.zeros(h, shape.mlp),
        }
    return weights


NORM_OF = {"qkv": "attention_norm", "gate_up": "mlp_norm"}
"""The norm that comes before a matrix."""


def working_copy(master: Weights, dtype: torch.dtype, device: torch.device) -> Weights:
    """What a pass runs on: `dtype`, gains of norms in the matrices, ready for gradients."""
    made = {}
    for name, weight in master.items():
        layer, _, part = name.rpartition(".")
        if part in NORM_OF.values():
            continue
        if part in NORM_OF:
            weight = weight * master[f"{layer}.{NORM_OF[part]}"]
        made[name] = weight.to(device=device, dtype=dtype, copy=True).requires_grad_()
    return made


def master_gradients(master: Weights, gradients: Mapping[str, Tensor]) -> Weights:
    """Gradients of the master weights from float32 ones of a working copy (the chain rule)."""
    made = {}
    for name, gradient in gradients.items():
        layer, _, part = name.rpartition(".")
        if part in NORM_OF:
            norm = f"{layer}.{NORM_OF[part]}"
            made[norm] = (gradient * master[name]).sum(0)
            gradient = gradient * master[norm]
        made[name] = gradient
    return {name: made[name] for name in master}


def hidden_states(
    weights: Weights, shape: Shape, ids: Tensor, at: Tensor, *, plain: Plain | None = None
) -> Tensor:
    """Outputs after the final norm at positions `at` [M] of all rows' ids [B, L]: [M, hidden].

    Rows have no padding: every position sees its whole row, and no other row. Without `plain` the
    layers run as they are fastest on a CPU, and the last one goes on, after its attention, at the
    positions asked for only.
    """
    rows, length = ids.shape
    tables = rotary_tables(shape, length, ids.device, weights["embed"].dtype)
    look_up = embedding if plain is None else torch.nn.functional.embedding
    x = look_up(ids, weights["embed"]).view(rows * length, shape.hidden)
    for i in range(shape.layers):
        if plain is not None:
            x = plain.layer(x, weights, i, tables, shape)
        else:
            x = _layer(x, weights, i, tables, shape, at if i == shape.layers - 1 else None)
    # A compiled layer has the same shapes each time, so there the choice is made behind it.
    x = x if plain is None else x.index_select(0, at)
    return rms(x, shape.eps) * weights["norm"]


def _layer(
    x: Tensor,
    weights: Weights,
    i: int,
    tables: tuple[Tensor, Tensor],
    shape: Shape,
    at: Tensor | None,
) -> Tensor:
    linear, length = torch.nn.functional.linear, len(tables[0])
    qkv = linear(rms(x, shape.eps), weights[f"{i}.qkv"], weights[f"{i}.qkv_bias"])
    seen = attention(qkv.view(-1, length, qkv.shape[-1]), tables, shape).view(x.shape)
    if at is not None:
        x, seen = x.index_select(0, at), seen.index_select(0, at)
    x = x + linear(seen, weights[f"{i}.out"])
    y = gated(linear(rms(x, shape.eps), weights[f"{i}.gate_up"]))
    return x + linear(y, weights[f"{i}.down"])


# --------------------------------------------------------------------------- Qwen2's names

_SPLIT = {
    "attention_norm": ("input_layernorm.weight",),
    "qkv": tuple(f"self_attn.{part}_proj.weight" for part in "qkv"),
    "qkv_bias": tuple(f"self_attn.{part}_proj.bias" for part in "qkv"),
    "out": ("self_attn.o_proj.weight",),
    "mlp_norm": ("post_attention_layernorm.weight",),
    "gate_up": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    "down": ("mlp.down_proj.weight",),
}
"""Our name of a layer's tensor -> the tensors of a Qwen2 checkpoint, of which it is the rows."""


def parts(shape: Shape, part: str) -> tuple[int, ...]:
    """Rows of each tensor that a fused one of a layer is made of, empty for one that is not."""
    if part in ("qkv", "qkv_bias"):
        return (shape.hidden, shape.kv, shape.kv)
    return (shape.mlp, shape.mlp) if part == "gate_up" else ()


def to_hugging_face(master: Weights, shape: Shape) -> Weights:
    """The weights under the names of a Qwen2 checkpoint with tied embeddings."""
    made = {"model.embed_tokens.weight": master["embed"], "model.norm.weight": master["norm"]}
    for name, weight in master.items():
        layer, _, part = name.rpartition(".")
        if layer:
            pieces = weight.split(sizes) if (sizes := parts(shape, part)) else (weight,)
            for called, piece in zip(_SPLIT[part], pieces, strict=True):
                made[f"model.layers.{layer}.{called}"] = piece.contiguous()
    return made


def from_hugging_face(tensors: Mapping[str, Tensor], shape: Shape) -> Weights:
    """Master weights from those of a Qwen2 checkpoint. Raises `DataError` for what is missing."""

    def take(name: str) -> Tensor:
        if name not in tensors:
            raise DataError(f"the checkpoint has no tensor {name}", hint="is it a Qwen2 model?")
        return tensors[name].float()

    made = {"embed": take("model.embed_tokens.weight"), "norm": take("model.norm.weight")}
    for i in range(shape.layers):
        for part, called in _SPLIT.items():
            made[f"{i}.{part}"] = torch.cat([take(f"model.layers.{i}.{name}") for name in called])
    return made
