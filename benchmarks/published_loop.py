"""The loop that masked-diffusion code models are published with, written from its description.

It is what `benchmarks/diffusion.py` compares with: a padded batch and the output head at every
position, at each of the steps. Path planning (p2), as open-dcoder's inference code has it, cuts to
the nucleus by a full sort of the vocabulary and draws at every position: confidence of a fresh draw
everywhere, the least sure of a gap's positions masked again. The other rules do so at masks only,
and without a draw at temperature 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Body = Callable[[Tensor, Tensor], Tensor]
"""tokens [B, L], keep [B, L] -> hidden states [B, L, H]."""


@dataclass
class Costs:
    """Seconds by part, summed over the steps that were run."""

    body: float = 0.0
    head: float = 0.0
    nucleus: float = 0.0
    draw: float = 0.0
    rest: float = 0.0
    steps: int = 0
    peak_logits_mb: float = 0.0
    """The largest tensor of logits, in the model's own precision."""
    _last: float = field(default_factory=time.perf_counter, repr=False)

    @property
    def total(self) -> float:
        return self.body + self.head + self.nucleus + self.draw + self.rest

    def part(self, name: str) -> None:
        """What passed since the last call belongs to `name`."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        setattr(self, name, getattr(self, name) + now - self._last)
        self._last = now


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Logits [..., V] with all but the nucleus at minus infinity, by a full sort."""
    ordered, order = torch.sort(logits, descending=True)
    mass = torch.cumsum(torch.softmax(ordered, dim=-1), dim=-1)
    dropped = mass > top_p
    # The token that crosses the line is kept.
    dropped[..., 1:] = dropped[..., :-1].clone()
    dropped[..., 0] = False
    return logits.masked_fill(dropped.scatter(-1, order, dropped), torch.finfo(logits.dtype).min)


Score = Callable[[Tensor], Tensor]

SCORES: dict[str, Score] = {
    "maskgit_plus": lambda odds: odds.amax(-1),
    "topk_margin": lambda odds: odds.topk(2, dim=-1).values.diff(dim=-1)[..., 0].neg(),
    "entropy": lambda odds: (odds * torch.log(odds + 1e-10)).sum(-1),
}
"""How sure a mask's odds [M, V] are: the surest masks are revealed."""


def fill_by_score(
    body: Body,
    head: Tensor,
    rows: list[list[int]],
    *,
    rule: str,
    mask_id: int,
    steps: int,
    top_p: float,
    costs: Costs,
    run_steps: int | None = None,
) -> Tensor:
    """Canvases [B, L] by a rule that reveals the surest masks, at temperature 0."""
    tokens, keep = _padded(rows, head.device)
    times = torch.linspace(1, 1e-3, steps + 1).tolist()
    for step in range(steps if run_steps is None else run_steps):
        logits = _logits(body, head, tokens, keep, costs)
        masked = tokens == mask_id
        cut = nucleus(logits[masked], top_p)  # [M, V]
        costs.part("nucleus")
        odds = torch.softmax(cut, dim=-1)
        drawn, sure = odds.argmax(-1), SCORES[rule](odds).float()
        costs.part("draw")
        place = 0
        for row in range(len(rows)):
            spots = masked[row].nonzero()[:, 0]
            mine = slice(place, place + len(spots))
            place += len(spots)
            share = 1.0 if step == steps - 1 else 1 - times[step + 1] / times[step]
            chosen = sure[mine].topk(int(len(spots) * share)).indices
            tokens[row, spots[chosen]] = drawn[mine][chosen]
        costs.part("rest")
        costs.steps += 1
    return tokens


def _logits(body: Body, head: Tensor, tokens: Tensor, keep: Tensor, costs: Costs) -> Tensor:
    """What each position says of itself, at all of them: [B, L, V]."""
    costs._last = time.perf_counter()
    hidden = body(tokens, keep)
    costs.part("body")
    logits = hidden @ head.T
    logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
    costs.peak_logits_mb = max(costs.peak_logits_mb, logits.nbytes / 2**20)
    costs.part("head")
    return logits


def _padded(rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens [B, L] and which of them are a row's own."""
    width = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    keep = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]).bool()
    return tokens.to(device), keep.to(device)


def fill(
    body: Body,
    head: Tensor,
    rows: list[list[int]],
    *,
    mask_id: int,
    steps: int,
    temperature: float,
    top_p: float,
    costs: Costs,
    run_steps: int | None = None,
) -> Tensor:
    """Canvases [B, L] by p2 after `run_steps` of `steps` steps; `head`: output matrix [V, H]."""
    tokens, keep = _padded(rows, head.device)
    free = tokens == mask_id  # [B, L]
    for step in range(steps if run_steps is None else run_steps):
        logits = _logits(body, head, tokens, keep, costs)
        cut = nucleus(logits / temperature, top_p)
        costs.part("nucleus")
        odds = torch.softmax(cut, dim=-1)
        drawn = torch.distributions.Categorical(probs=odds).sample()  # [B, L]
        costs.part("draw")
        sure = odds.gather(-1, drawn[..., None])[..., 0].float()
        sure = sure.masked_fill(~free, torch.inf)
        masked = tokens == mask_id
        for row in range(len(rows)):
            count = int(free[row].sum() * (1 - (step + 1) / steps))
            again = sure[row].topk(count, largest=False).indices
            takes = masked[row].clone()
            takes[again] = False
            tokens[row, takes] = drawn[row, takes]
            tokens[row, again] = mask_id
        costs.part("rest")
        costs.steps += 1
    return tokens
