"""A Qwen2-shaped transformer in which positions attend to what stands behind them as well.

RMS norms, grouped-query attention, rotary positions and SwiGLU (Qwen2, arXiv 2407.10671; Qwen3,
arXiv 2505.09388, adds norms of queries and keys; LLaDA, arXiv 2502.09992, has the same arithmetic
under other names). Every position attends to every other; with blocks (BD3-LM, arXiv 2503.09573)
to its own block and those before it. It computes outputs where they are asked for only: in the last
layer all positions give keys and values, and no others than those asked for go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trueval.diffusion.weights import Layer, Shape, Weights

__all__ = ["Body", "Context", "has_fast_bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Keys and values of whole rows, layer by layer: [B, kv_heads, L, head_dim] each."""

    keys: list[Tensor]
    values: list[Tensor]

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is arithmetic of the machine's own there."""
    if device.type != "cpu":
        return True
    ops = _onednn()
    return ops is not None and bool(ops._is_mkldnn_bf16_supported())


def _onednn() -> Any | None:
    """The operators of oneDNN, where torch was built with it: elsewhere it has not even names."""
    return torch.ops.mkldnn if torch.backends.mkldnn.is_available() else None


def _packed(weight: Tensor) -> Tensor | None:
    """A weight as oneDNN wants it, on a CPU that has oneDNN.

    Otherwise each call lays it out anew (bfloat16: a fifth of the time of a matmul of 250 rows), or
    runs a kernel that is slow for few rows (float32: three times as slow for 12).
    """
    ops = _onednn()
    if ops is None or weight.device.type != "cpu":
        return None
    if weight.dtype != torch.float32 and not has_fast_bfloat16(weight.device):
        return None
    packed: Tensor = ops._reorder_linear_weight(weight, 256)
    return packed


def _matmul(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """x [..., inputs] -> [..., outputs]"""
    packed = _packed(weight)
    if packed is None:
        return lambda x: F.linear(x, weight, bias)
    run = torch.ops.mkldnn._linear_pointwise
    return lambda x: run(x, packed, bias, "none", [], "")


def _adder(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    """x [..., inputs], rest [..., outputs] -> rest + x W"""
    packed = _packed(weight)
    if packed is None:
        return lambda x, rest: rest + F.linear(x, weight, bias)
    run = torch.ops.mkldnn._linear_pointwise
    return lambda x, rest: run.binary(x, rest, packed, bias, "add")


def _gated(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """x [..., inputs] -> silu(x gate) * (x up), of the weight's two halves"""
    gate, up = (_packed(half) for half in weight.chunk(2))
    if gate is None or up is None:

        def plain(x: Tensor) -> Tensor:
            gate, up = F.linear(x, weight, bias).chunk(2, dim=-1)
            return F.silu(gate) * up

        return plain
    gate_bias, up_bias = (None, None) if bias is None else bias.chunk(2)
    run = torch.ops.mkldnn._linear_pointwise

    def fused(x: Tensor) -> Tensor:
        return run.binary(x, run(x, gate, gate_bias, "swish", [], ""), up, up_bias, "mul")

    return fused


class _Block:
    """One layer, its matmuls ready to run."""

    def __init__(self, layer: Layer, shape: Shape) -> None:
        self.shape = shape
        self.norm, self.mlp_norm = layer.norm, layer.mlp_norm
        self.q_norm, self.k_norm = layer.q_norm, layer.k_norm
        self.qkv = _matmul(layer.qkv, layer.qkv_bias)
        self.out = _adder(layer.out, layer.out_bias)
        self.gated = _gated(layer.gate_up, layer.gate_up_bias)
        self.down = _adder(layer.down, layer.down_bias)

    def heads(self, x: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, L, H, D], and keys and values [B, G, L, D], of x [B, L, hidden].

        turn [2, 1 or B, L, 1, D]: cosines and signed sines of the positions
        """
        s = self.shape
        both = self.qkv(_rms(x, self.norm, s.eps)).unflatten(-1, (-1, s.head_dim))
        turned, values = both.split((s.heads + s.kv_heads, s.kv_heads), dim=2)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = turned.split((s.heads, s.kv_heads), dim=2)
            turned = torch.cat((_rms(q, self.q_norm, s.eps), _rms(k, self.k_norm, s.eps)), dim=2)
        q, k = _rotate(turned, turn).split((s.heads, s.kv_heads), dim=2)
        return q, k.transpose(1, 2), values.transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """q [B, Q, H, D], k and v [B, G, L, D], mask [B, 1, 1 or Q, L] -> [B, Q, H * D]"""
        s = self.shape
        batch, queries = q.shape[:2]
        if mask is not None:
            if short := mask.shape[-1] - k.shape[2]:
                k, v = (F.pad(tensor, (0, 0, 0, short)) for tensor in (k, v))
            if mask.shape[2] > 1:
                mask = mask.repeat(1, 1, s.heads // s.kv_heads, 1)  # as the queries are folded
        # The heads that share keys are queries of one longer row: attention minds no order of
        # queries, so keys and values need not be repeated.
        grouped = q.unflatten(2, (s.kv_heads, -1)).permute(0, 2, 3, 1, 4)  # [B, G, H/G, Q, D]
        mixed = F.scaled_dot_product_attention(grouped.flatten(2, 3), k, v, attn_mask=mask)
        mixed = mixed.unflatten(2, (-1, queries)).permute(0, 3, 1, 2, 4)  # [B, Q, G, H/G, D]
        return mixed.reshape(batch, queries, -1)

    def feed(self, x: Tensor, mixed: Tensor) -> Tensor:
        """x [B, L, hidden], what attention mixed [B, L, H * D] -> [B, L, hidden]"""
        x = self.out(mixed, x)
        return self.down(self.gated(_rms(x, self.mlp_norm, self.shape.eps)), x)


_Mix = Callable[[_Block, int, Tensor, Tensor, Tensor], Tensor]
"""A layer's attention: block, its number, queries, keys and values -> [B, Q, H * D]."""


class Body:
    """A checkpoint's transformer and head. All of it runs without gradients."""

    def __init__(self, shape: Shape, weights: Weights, *, block: int | None = None) -> None:
        """`block`: positions attend to no later block than their own, of so many positions."""
        self.shape, self._block = shape, block
        self.device, self.dtype = weights.embed.device, weights.embed.dtype
        self._embed, self._norm = weights.embed, weights.norm
        self._head = _matmul(weights.head, None)
        self._blocks = [_Block(layer, shape) for layer in weights.layers]
        self._last = len(self._blocks) - 1
        self._turns = torch.empty(0)  # [2, L, D], grown on demand

    def hidden(
        self,
        ids: Tensor,
        out: Tensor,
        *,
        mask: Tensor | None = None,
        context: Context | None = None,
    ) -> Tensor:
        """Normed last hidden states at the positions asked for.

        ids [B, L] int64; out [B, Q] int64; mask [B, 1, 1, L] bool, True where a key may be seen;
        an empty context is filled with the rows' keys and values -> [B, Q, hidden]
        """
        length = ids.shape[1]

        def mix(block: _Block, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            if context is not None:
                k, v = k.contiguous(), v.contiguous()
                context.keys.append(k)
                context.values.append(v)
            return block.attend(q, k, v, asked if layer == self._last else even)

        with torch.inference_mode():
            even = self._even(self._seen(torch.arange(length)[None], length, mask), length)
            asked = _rows(even, out)
            return self._layers(ids, self._turn(length)[:, None, :, None], out, mix)

    def windows(
        self,
        ids: Tensor,
        out: Tensor,
        places: Sequence[Tensor],
        contexts: Sequence[Context],
    ) -> Tensor:
        """The same for some positions of each row, beside the keys and values of its others.

        ids [B, W] int64; out [B, Q] int64, indices into W; places: each row's positions [<= W];
        contexts: of each row. Rows may be fewer than B: the others, and what stands behind a row's
        places, fill the shape up, and come back as garbage -> [B, Q, hidden]

        The new keys and values are written into the contexts.
        """

        def mix(block: _Block, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            mixed = q.new_zeros(*q.shape[:2], q.shape[2] * q.shape[3])
            masks = asked if layer == self._last else even
            for row, (at, context, mask) in enumerate(zip(places, contexts, masks, strict=True)):
                keys, values = context.keys[layer], context.values[layer]
                keys.index_copy_(2, at, k[row : row + 1, :, : len(at)])
                values.index_copy_(2, at, v[row : row + 1, :, : len(at)])
                mixed[row] = block.attend(q[row : row + 1], keys, values, mask)[0]
            return mixed

        with torch.inference_mode():
            spots = torch.zeros_like(ids)
            for row, at in enumerate(places):
                spots[row, : len(at)] = at
            lengths = [context.keys[0].shape[2] for context in contexts]
            even = [
                self._even(self._seen(spots[row : row + 1], length), length)
                for row, length in enumerate(lengths)
            ]
            asked = [_rows(mask, out[row : row + 1]) for row, mask in enumerate(even)]
            return self._layers(ids, self._turn(max(lengths))[:, spots, None], out, mix)

    def _layers(self, ids: Tensor, turn: Tensor, out: Tensor, mix: _Mix) -> Tensor:
        x = F.embedding(ids, self._embed)
        x = x if self.shape.embed_scale == 1.0 else x * self.shape.embed_scale
        rows = torch.arange(ids.shape[0], device=self.device)[:, None]
        for index, block in enumerate(self._blocks):
            q, k, v = block.heads(x, turn)
            if index == self._last:
                x, q = x[rows, out], q[rows, out]
            x = block.feed(x, mix(block, index, q, k, v))
        return _rms(x, self._norm, self.shape.eps)

    def resized(self, context: Context, at: int, old: int, new: int) -> Context:
        """A copy in which `new` positions stand at `at` instead of `old`, and hold nothing yet.

        The keys behind them are turned to where they then stand: angles of rotary positions add.
        """
        by = new - old
        turn = self._turn(abs(by) + 1)[:, abs(by)]
        turn = turn if by >= 0 else torch.stack((turn[0], -turn[1]))

        def copied(tensor: Tensor, *, turned: bool) -> Tensor:
            batch, groups, length, dim = tensor.shape
            found = tensor.new_zeros(batch, groups, length + by, dim)
            behind = tensor[:, :, at + old :]
            found[:, :, :at] = tensor[:, :, :at]
            found[:, :, at + new :] = _rotate(behind, turn) if turned and by else behind
            return found

        with torch.inference_mode():
            return Context(
                keys=[copied(keys, turned=True) for keys in context.keys],
                values=[copied(values, turned=False) for values in context.values],
            )

    def head(self, hidden: Tensor) -> Tensor:
        """hidden [..., hidden] -> logits [..., vocab] float32"""
        with torch.inference_mode():
            logits = self._head(hidden).float()
        return logits if self.shape.logit_scale == 1.0 else logits * self.shape.logit_scale

    def _seen(self, at: Tensor, length: int, mask: Tensor | None = None) -> Tensor | None:
        """What positions `at` [B, Q] see of a row: bool [B, 1, 1 or Q, L]; none = all of it.

        mask [B, 1, 1, L]: the keys that any may see
        """
        if self._block is None:
            return mask
        keys = torch.arange(length, device=self.device) // self._block
        seen = keys <= (at.to(self.device) // self._block)[:, None, :, None]
        return seen if mask is None else seen & mask

    def _even(self, mask: Tensor | None, length: int) -> Tensor | None:
        """The mask for keys filled up to a multiple of 32, where attention is faster for it.

        A CPU's bfloat16 tiles are 32 deep: 250 keys take three times as long as 256, and 1.7 times
        as long as 250 and six masked ones, which add nothing.
        """
        short = -length % 32
        if not short or self.device.type != "cpu" or self.dtype != torch.bfloat16:
            return mask
        if mask is None:
            mask = torch.ones(1, 1, 1, length, dtype=torch.bool)
        return F.pad(mask, (0, short))

    def _turn(self, length: int) -> Tensor:
        """Cosines and signed sines [2, length, head_dim] float32 of the rotary positions."""
        if self._turns.shape[-2:-1] < (length,) or self._turns.dim() < 3:
            size, dim = max(512, 1 << (length - 1).bit_length()), self.shape.head_dim
            steps = torch.arange(0, dim, 2, dtype=torch.int64).float() / dim
            angles = torch.arange(size).float()[:, None] / self.shape.theta**steps  # [L, D/2]
            cos, sin = angles.cos(), angles.sin()
            turns = (torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1))
            self._turns = torch.stack(turns).to(self.device)
        return self._turns[:, :length]


def _rows(mask: Tensor | None, out: Tensor) -> Tensor | None:
    """A mask's rows of the queries `out` [B, Q]: [1 or B, 1, 1 or L, K] -> [B, 1, 1 or Q, K]"""
    if mask is None or mask.shape[2] == 1:
        return mask
    return mask.expand(len(out), -1, -1, -1).take_along_dim(out[:, None, :, None], dim=2)


def _rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x [..., n], weight [n] -> [..., n]: x over its root mean square, which is taken in float32"""
    return F.rms_norm(x, (x.shape[-1],), weight, eps)


def _rotate(x: Tensor, turn: Tensor) -> Tensor:
    """x [B, L, heads, D], turn [2, 1 or B, L, 1, D] float32 -> x turned, in float32 until the end

    The first half of a head's numbers turns with the second (GPT-NeoX's order), not in pairs.
    """
    cos, sin = turn
    halves = x.roll(x.shape[-1] // 2, dims=-1).float()
    return (x * cos).addcmul_(halves, sin).to(x.dtype)
