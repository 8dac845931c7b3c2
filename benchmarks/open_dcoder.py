"""A model of open-dcoder's shape with random weights: what a forward costs does not need others."""

from __future__ import annotations

import torch
from torch import Tensor

import published_loop
from trueval.diffusion.body import Body
from trueval.diffusion.weights import Layer, Shape, Weights

OPEN_DCODER = Shape(
    vocab=151_936,
    hidden=896,
    layers=24,
    heads=14,
    kv_heads=2,
    head_dim=64,
    mlp=4864,
    eps=1e-6,
    theta=1e6,
    context=4096,
    tied=True,
)


def random_weights(shape: Shape, dtype: torch.dtype, device: str = "cpu") -> Weights:
    """Weights that do no harm to numbers; what they are does not change what a forward costs."""
    generator = torch.Generator().manual_seed(0)

    def matrix(rows: int, columns: int) -> Tensor:
        made = torch.randn(rows, columns, generator=generator) * columns**-0.5
        return made.to(device, dtype)

    wide = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    ones = torch.ones(shape.hidden, dtype=dtype, device=device)
    embed = matrix(shape.vocab, shape.hidden)
    layers = tuple(
        Layer(
            norm=ones,
            qkv=matrix(wide, shape.hidden),
            qkv_bias=torch.zeros(wide, dtype=dtype, device=device),
            q_norm=None,
            k_norm=None,
            out=matrix(shape.hidden, shape.heads * shape.head_dim),
            out_bias=None,
            mlp_norm=ones,
            gate_up=matrix(2 * shape.mlp, shape.hidden),
            gate_up_bias=None,
            down=matrix(shape.hidden, shape.mlp),
            down_bias=None,
        )
        for _ in range(shape.layers)
    )
    return Weights(embed=embed, layers=layers, norm=ones, head=embed)


def padded(body: Body) -> published_loop.Body:
    """The body as the published loop runs it: a padded batch, every position, keys masked."""

    def run(tokens: Tensor, keep: Tensor) -> Tensor:
        rows, width = tokens.shape
        every = torch.arange(width, device=body.device).expand(rows, width)
        return body.hidden(tokens, every, mask=keep[:, None, None, :])

    return run


def masked_row(length: int, masks: int) -> list[int]:
    """A row with a gap at position 100, of which the first so many positions are masks."""
    row = [(7 * i) % 1000 for i in range(length)]
    row[100 : 100 + masks] = [OPEN_DCODER.vocab - 1] * masks
    return row
