"""Rows computed together in packs whose shapes depend on each row alone.

A GPU wants many rows at once, and so does any machine whose rows are windows of a few tokens: most
of their time goes into reading the weights. But a sum's last bits depend on the shape it is taken
in. So a pack has a fixed number of rows (dummy ones fill it up), its length is a row's own length
rounded up, and keys beyond a row's end are masked: whatever its neighbours are, a row's logits are
the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from trueval.diffusion.body import Body, Context

__all__ = [
    "Packs",
    "Parts",
    "Reader",
    "WindowPacks",
    "length_bucket",
    "output_bucket",
    "parts_of",
    "whole",
    "window_bucket",
]

T = TypeVar("T")
Parts = Iterator[Tensor]
"""A row's logits, float32 [<= PART, vocab] at a time."""
Reader = Callable[[int, Parts], T]
"""Is given a row's index and its logits, and makes of them what is kept."""

PART = 128
"""Outputs of a row whose logits are computed at a time: 78 MB of a vocabulary of 152,000."""
_PACKED = 256
"""Outputs of a whole pack whose logits are; of one with more, each row's own are."""


def length_bucket(length: int) -> int:
    """The length a row is computed at: a multiple of 32, of 128 above 512."""
    step = 32 if length <= 512 else 128
    return -(-length // step) * step


def output_bucket(outputs: int) -> int:
    """How many outputs are computed for a row that asks for so many: a power of two, at least 8."""
    return max(8, 1 << (outputs - 1).bit_length())


def window_bucket(places: int) -> int:
    """How many positions are computed for a window of so many: a multiple of 16."""
    return -(-places // 16) * 16


def whole(_: int, parts: Parts) -> Tensor:
    """A reader that keeps all of a row's logits: float32 [Q, vocab]."""
    first, *others = parts
    return torch.cat((first, *others)) if others else first


def parts_of(body: Body, hidden: Tensor, count: int) -> Parts:
    """The logits of the first `count` of a row's outputs: hidden [>= count, hidden]

    A function of the row alone, like the shapes of the packs.
    """
    for start in range(0, max(count, 1), PART):
        yield body.head(hidden[start : start + PART])[: count - start]


class Packs:
    """Runs whole rows through a body, `rows` at a time."""

    def __init__(self, body: Body, rows: int) -> None:
        self._body, self._rows = body, rows

    def read(
        self,
        rows: Sequence[Tensor],
        out: Sequence[Tensor],
        reader: Reader[T],
        contexts: Sequence[Context] | None = None,
    ) -> list[T]:
        """rows: 1-D ids; out: the outputs asked for, [Q]; what is read of each

        Empty contexts, one a row, are filled with its keys and values.
        """
        shapes = [
            (length_bucket(len(row)), output_bucket(len(places)))
            for row, places in zip(rows, out, strict=True)
        ]
        found: dict[int, T] = {}
        for (length, outputs), pack in _grouped(shapes, self._rows):
            context = Context(keys=[], values=[]) if contexts is not None else None
            hidden = self._run(
                [rows[i] for i in pack], [out[i] for i in pack], length, outputs, context
            )
            if contexts is not None and context is not None:
                for place, index in enumerate(pack):
                    _copy_row(context, place, len(rows[index]), contexts[index])
            found |= _read(self._body, hidden, {i: len(out[i]) for i in pack}, reader)
        return [found[index] for index in range(len(rows))]

    def _run(
        self,
        rows: list[Tensor],
        out: list[Tensor],
        length: int,
        outputs: int,
        context: Context | None,
    ) -> Tensor:
        """-> [pack, outputs, hidden]"""
        seen = torch.zeros(self._rows, 1, 1, length, dtype=torch.bool)
        seen[..., 0] = True  # a dummy row must see something, or its numbers are none
        for index, row in enumerate(rows):
            seen[index, ..., : len(row)] = True
        body, device = self._body, self._body.device
        ids, asked = _filled(rows, self._rows, length), _filled(out, self._rows, outputs)
        return body.hidden(ids.to(device), asked.to(device), mask=seen.to(device), context=context)


class WindowPacks:
    """Runs windows, each beside the keys and values of its own row, `rows` at a time."""

    def __init__(self, body: Body, rows: int) -> None:
        self._body, self._rows = body, rows

    def logits(
        self,
        tokens: Sequence[Tensor],
        out: Sequence[Tensor],
        places: Sequence[Tensor],
        contexts: Sequence[Context],
    ) -> list[Tensor]:
        """All that `read` reads: float32 [Q, vocab] each."""
        return self.read(tokens, out, places, contexts, whole)

    def read(
        self,
        tokens: Sequence[Tensor],
        out: Sequence[Tensor],
        places: Sequence[Tensor],
        contexts: Sequence[Context],
        reader: Reader[T],
        *,
        wide: bool = False,
    ) -> list[T]:
        """tokens: the ids of each window [W]; out: indices into it [Q]; places: where it lies [W]

        -> what is read of each

        `wide`: as many outputs are computed as there are positions, so that fewer shapes fill fewer
        packs.
        """
        shapes = [
            (
                window_bucket(len(ids)),
                window_bucket(len(ids)) if wide else output_bucket(len(asked)),
            )
            for ids, asked in zip(tokens, out, strict=True)
        ]
        found: dict[int, T] = {}
        body, device = self._body, self._body.device
        for (width, outputs), pack in _grouped(shapes, self._rows):
            hidden = body.windows(
                _filled([tokens[i] for i in pack], self._rows, width).to(device),
                _filled([out[i] for i in pack], self._rows, outputs).to(device),
                [places[i].to(device) for i in pack],
                [contexts[i] for i in pack],
            )
            found |= _read(body, hidden, {i: len(out[i]) for i in pack}, reader)
        return [found[index] for index in range(len(tokens))]


def _read(body: Body, hidden: Tensor, counts: dict[int, int], reader: Reader[T]) -> dict[int, T]:
    """What is read of each row of a pack: hidden [pack, outputs, hidden]; counts: of outputs"""
    places = enumerate(counts.items())
    if hidden.shape[0] * hidden.shape[1] <= _PACKED:
        logits = body.head(hidden)
        return {i: reader(i, iter([logits[place, :count]])) for place, (i, count) in places}
    return {i: reader(i, parts_of(body, hidden[place], count)) for place, (i, count) in places}


def _grouped(
    shapes: Sequence[tuple[int, int]], rows: int
) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The indices of those that share a shape, at most so many at a time."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, shape in enumerate(shapes):
        groups[shape].append(index)
    for shape, members in groups.items():
        for start in range(0, len(members), rows):
            yield shape, members[start : start + rows]


def _filled(lines: Sequence[Tensor], rows: int, width: int) -> Tensor:
    """[rows, width] int64: each line from the left on, zeros behind it and below."""
    table = torch.zeros(rows, width, dtype=torch.int64)
    for index, line in enumerate(lines):
        table[index, : len(line)] = line
    return table


def _copy_row(pack: Context, place: int, length: int, into: Context) -> None:
    """A row's own keys and values, out of those of its pack."""
    for layers, kept in ((pack.keys, into.keys), (pack.values, into.values)):
        kept += [layer[place : place + 1, :, :length].clone() for layer in layers]
