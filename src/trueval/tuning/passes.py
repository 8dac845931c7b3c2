"""The parts of a pass, each with a backward of its own where PyTorch's is slow on a CPU.

`plain.py` has the same calculation in PyTorch's own operations, for GPUs, and to check these.
Measured on one core in bfloat16 (2,520 tokens, hidden 256): attention forward and backward take a
quarter of the time of `scaled_dot_product_attention`, whose CPU backward runs head by head; a
norm takes a third of `rms_norm`, which is eight passes over memory there. Adding an embedding's
gradients in float32 costs 1.5 ms of a pass of 300.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from trueval.tuning.net import Shape


def embedding(ids: Tensor, embed: Tensor) -> Tensor:
    """The rows of `embed` [vocabulary, hidden] at ids [B, L]: [B, L, hidden]."""
    rows: Tensor = _Embedding.apply(ids, embed)
    return rows


def rms(x: Tensor, eps: float) -> Tensor:
    """Scale each position to a mean square of 1 (RMSNorm, arXiv 1910.07467): [T, hidden]."""
    scaled: Tensor = _Rms.apply(x, eps)
    return scaled


def gated(gate_up: Tensor) -> Tensor:
    """SwiGLU's silu(gate) * up (arXiv 2002.05202): [T, 2 mlp] -> [T, mlp]."""
    product: Tensor = _Gated.apply(gate_up)
    return product


def attention(qkv: Tensor, tables: tuple[Tensor, Tensor], shape: Shape) -> Tensor:
    """Every position of a row looks at all of it: [B, L, hidden + 2 kv] -> [B, L, hidden]."""
    seen: Tensor = _Attention.apply(qkv, *tables, shape)
    return seen


@lru_cache(maxsize=256)
def rotary_tables(
    shape: Shape, length: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary positions (RoFormer, arXiv 2104.09864), [L, head_size]."""
    half = shape.head_size // 2
    speeds = shape.theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * speeds
    both = torch.cat([angles, angles], dim=-1)
    return both.cos().to(device, dtype), both.sin().to(device, dtype)


# --------------------------------------------------------------------------- with own backwards


class _Embedding(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, ids: Tensor, embed: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.size, ctx.dtype = len(embed), embed.dtype
        return embed[ids]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (ids,) = ctx.saved_tensors
        (gradient,) = gradients
        # PyTorch's on a CPU adds in bfloat16, in which 256 + 1 is 256, and masks are many.
        wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32)).flatten(0, -2)
        total = wide.new_zeros(ctx.size, wide.shape[-1])
        return None, total.index_add_(0, ids.flatten(), wide).to(ctx.dtype)


class _Rms(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
        scale = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_().to(x.dtype)
        scaled = x * scale
        ctx.save_for_backward(scaled, scale)
        return scaled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        scaled, scale = ctx.saved_tensors
        (gradient,) = gradients
        along = torch.linalg.vecdot(gradient, scaled).unsqueeze(-1).div_(-scaled.shape[-1])
        return torch.addcmul(gradient, scaled, along).mul_(scale), None


class _Gated(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, dim=-1)
        silu = functional.silu(gate)
        ctx.save_for_backward(gate_up, silu)
        return silu * up

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        gate_up, silu = ctx.saved_tensors
        (gradient,) = gradients
        gate, up = gate_up.chunk(2, dim=-1)
        both = torch.empty_like(gate_up)
        to_gate, to_up = both.chunk(2, dim=-1)
        torch.mul(gradient, silu, out=to_up)
        torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=to_gate)
        return both


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    """Rotary positions and softmax attention; the weights are kept, as rows are short."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor, shape: Shape) -> Tensor:
        rows, length, _ = qkv.shape
        heads, keys, size = shape.heads, shape.kv_heads, shape.head_size
        q, k, v = _heads(qkv, shape)
        scale = size**-0.5
        q = _rotate(q, cos * scale, sin * scale).view(rows * keys, -1, size)
        k = _rotate(k, cos, sin).view(rows * keys, length, size)
        v = v.reshape(rows * keys, length, size)
        weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)), dim=-1)
        seen = torch.bmm(weights, v).view(rows, heads, length, size)
        ctx.save_for_backward(q, k, v, weights, cos, sin)
        ctx.shape = shape
        return seen.transpose(1, 2).reshape(rows, length, shape.hidden)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        q, k, v, weights, cos, sin = ctx.saved_tensors
        shape: Shape = ctx.shape
        (gradient,) = gradients
        rows, length, _ = gradient.shape
        heads, keys, size = shape.heads, shape.kv_heads, shape.head_size
        seen = gradient.view(rows, length, heads, size).transpose(1, 2).reshape(q.shape)
        made = gradient.new_empty(rows, length, shape.hidden + 2 * shape.kv)
        to_q, to_k, to_v = _heads(made, shape)
        to_v.copy_(torch.bmm(weights.transpose(1, 2), seen).view(rows, keys, length, size))
        scores = torch.bmm(seen, v.transpose(1, 2))
        scores = torch._softmax_backward_data(scores, weights, -1, weights.dtype)
        scale = size**-0.5
        turned = torch.bmm(scores, k).view(rows, heads, length, size)
        _rotate(turned, cos * scale, sin * -scale, out=to_q)
        turned = torch.bmm(scores.transpose(1, 2), q).view(rows, keys, length, size)
        _rotate(turned, cos, -sin, out=to_k)
        return made, None, None, None


def _heads(qkv: Tensor, shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Views of queries, keys and values: [B, heads, L, head_size] each."""
    rows, length, _ = qkv.shape
    each = qkv.view(rows, length, -1, shape.head_size).transpose(1, 2)
    q, k, v = each.split([shape.heads, shape.kv_heads, shape.kv_heads], dim=1)
    return q, k, v


def _rotate(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor | None = None) -> Tensor:
    """Turn the pairs (i, i + half) of each head, [B, heads, L, head_size]; `out` may be a view."""
    half = x.shape[-1] // 2
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device) if out is None else out
    torch.mul(x, cos, out=out)
    out[..., :half].addcmul_(x[..., half:], sin[:, :half], value=-1)
    out[..., half:].addcmul_(x[..., :half], sin[:, half:])
    return out


# --------------------------------------------------------------------------- the head


def head_loss(x: Tensor, embed: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of the cross entropies of [M, hidden] outputs, in nats.

    Gradients are made along with the loss, a part of the positions at a time, so that the
    [M, vocabulary] logits are never kept (as Liger Kernel does it, arXiv 2410.10989).
    """
    loss: Tensor = _Head.apply(x, embed, targets, weights)
    return loss


_LOGITS = {"cpu": 1 << 20, "cuda": 1 << 28}
"""Logits at a time: on a CPU what stays in the cache."""


class _Head(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Tensor, embed: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        step = max(1, _LOGITS.get(x.device.type, 1 << 28) // len(embed))
        wide = torch.promote_types(x.dtype, torch.float32)
        loss = x.new_zeros((), dtype=wide)
        to_x, to_embed = torch.empty_like(x), torch.zeros_like(embed, dtype=wide)
        for i in range(0, len(x), step):
            part, target = x[i : i + step], targets[i : i + step, None]
            weight = weights[i : i + step, None]
            logp = torch.log_softmax((part @ embed.t()).to(wide), dim=-1)
            loss -= (logp.gather(1, target) * weight).sum()
            logp.exp_().mul_(weight).scatter_add_(1, target, -weight)
            slope = logp.to(x.dtype)
            torch.mm(slope, embed, out=to_x[i : i + step])
            to_embed += slope.t() @ part
        ctx.save_for_backward(to_x, to_embed.to(embed.dtype))
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        to_x, to_embed = ctx.saved_tensors
        (gradient,) = gradients
        return to_x * gradient, to_embed * gradient, None, None
