"""How good a network is while it is trained: held-out loss, and lines put back exactly.

Both are of the same held-out rows with the same gaps each time, so that evaluations compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trueval.tuning.batches import Batches, Tokens
from trueval.tuning.gradients import Workers
from trueval.tuning.masking import Masked, Mixture, Vocabulary, masked_rows
from trueval.tuning.net import Shape, Weights, hidden_states

if TYPE_CHECKING:
    import numpy as np

SEED = 7_351
LONGEST = 48
"""The most tokens of a line to put back: as many as HumanEval's longest has."""

SURE = math.log(0.9)
"""Tokens likelier than this are revealed together (Fast-dLLM, arXiv 2505.22618)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One look at a network."""

    validation: float
    """Nats for a hidden token of the objective's spans, one gap a row."""
    line: float
    """Nats for a token of single lines of code of which everything is hidden."""
    exact: float
    """Share of those lines that greedy decoding puts back exactly, their length being known."""
    lines: int


class Evaluator:
    """Fixed rows of a held-out split, and what a network makes of them."""

    def __init__(
        self,
        tokens: Tokens,
        vocabulary: Vocabulary,
        shape: Shape,
        mixture: Mixture,
        *,
        size: int = 2520,
        loss_tokens: int = 60_000,
        lines: int = 200,
        workers: Workers | None = None,
    ) -> None:
        self._shape, self._vocabulary = shape, vocabulary
        self._workers = workers or Workers()
        batches = Batches(tokens, size=size, context=shape.context, seed=SEED)
        plain = replace(mixture, spans=1.0, gap_every=1 << 30, ends=0.0, edits=0.0, whole=0.15)
        passes = min(batches.passes, max(1, loss_tokens // size))
        self._mixed = [self._make(batches, number, plain) for number in range(passes)]
        single = replace(plain, whole=1.0, sub_line=0.0, lines=1, docstrings=0.0)
        self._lines: list[Masked] = []
        found, number = 0, 0
        while found < lines and number < batches.passes:
            made = self._make(batches, number, single)
            # Rows without a line of code to hide have all hidden; rulers and tables are no code.
            hidden = (made.weights > 0).sum(1)
            has = (hidden <= LONGEST) & (hidden < made.inputs.shape[1] / 2)
            made = Masked(*(part[has][: lines - found] for part in made))
            found, number = found + len(made.inputs), number + 1
            if len(made.inputs):
                self._lines.append(made)

    def _make(self, batches: Batches, number: int, mixture: Mixture) -> Masked:
        import numpy as np

        rows = batches.rows(number)
        rng: np.random.Generator = np.random.default_rng([SEED, 2, number])
        return masked_rows(rng, rows.tokens, rows.available, rows.length, self._vocabulary, mixture)

    def __call__(self, weights: Weights, stopped: Callable[[], bool] = lambda: False) -> Evaluation:
        """Evaluate a working copy, each worker its part. Once `stopped`, the rest is left out."""
        sums = torch.zeros(6, dtype=torch.float64)
        with torch.no_grad():
            sums[0:2] = self._loss(weights, self._mine(self._mixed))
            sums[2:4] = self._loss(weights, self._mine(self._lines))
            for rows in self._mine(self._lines):
                if not stopped():
                    filled = self._fill(weights, rows)
                    sums[4:6] += torch.tensor([sum(filled), len(filled)])
        total = self._workers.total(sums.to(weights["embed"].device)).tolist()
        return Evaluation(
            validation=_mean(total[0], total[1]),
            line=_mean(total[2], total[3]),
            exact=_mean(total[4], total[5]),
            lines=int(total[5]),
        )

    def _mine(self, rows: list[Masked]) -> list[Masked]:
        return rows[self._workers.rank :: self._workers.count]

    def _loss(self, weights: Weights, passes: list[Masked]) -> Tensor:
        """Nats and tokens: [2]."""
        total = torch.zeros(2, dtype=torch.float64)
        for rows in passes:
            inputs, row, position, targets = _on(weights, rows)
            logits = self._logits(weights, inputs, row, position)
            nats = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
            total += torch.tensor([float(nats), len(targets)])
        return total

    def _logits(self, weights: Weights, ids: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """float32 logits for the tokens at positions of rows, [M, vocabulary]."""
        x = hidden_states(weights, self._shape, ids, row * ids.shape[1] + position - 1)
        return (x @ weights["embed"].t()).float()

    def _fill(self, weights: Weights, rows: Masked) -> list[bool]:
        """Whether each row is as it was, once its masks are revealed, the surest ones first.

        A pass reveals the surest mask of each row, and all of which the network is quite sure.
        """
        ids, row, position, _ = _on(weights, rows)
        special = self._vocabulary
        never = [special.mask, special.pad, special.end, special.expand, special.delete]
        while len(row):
            # Only rows with masks run.
            open_rows, inverse = row.unique(return_inverse=True)
            logits = self._logits(weights, ids[open_rows], inverse, position)
            logits[:, never] = -torch.inf
            sure, token = torch.log_softmax(logits, dim=-1).max(dim=-1)
            surest = torch.full((len(open_rows),), -torch.inf, device=ids.device)
            surest.scatter_reduce_(0, inverse, sure, "amax")
            reveal = (sure >= surest[inverse]) | (sure > SURE)
            ids[row[reveal], position[reveal]] = token[reveal]
            row, position = (ids == special.mask).nonzero(as_tuple=True)
        same: list[bool] = (ids.cpu() == torch.from_numpy(rows.targets)).all(dim=1).tolist()
        return same


def _mean(total: float, count: float) -> float:
    return total / count if count else math.nan


def _on(weights: Weights, rows: Masked) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs [B, L], and row, position and target of each hidden token, where the weights are."""
    device = weights["embed"].device
    row, position = torch.from_numpy(rows.weights).nonzero(as_tuple=True)
    targets = torch.from_numpy(rows.targets)[row, position]
    inputs = torch.from_numpy(rows.inputs).clone()
    return inputs.to(device), row.to(device), position.to(device), targets.to(device)
