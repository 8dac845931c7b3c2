"""The gradients of one step: its passes over rows, and their sum over workers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trueval.errors import TruevalError
from trueval.tuning.batches import Batches
from trueval.tuning.masking import Masked, Mixture, Vocabulary, masked_rows
from trueval.tuning.net import Shape, Weights, hidden_states
from trueval.tuning.passes import head_loss
from trueval.tuning.plain import Plain

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NotFiniteError(TruevalError):
    """The loss or a gradient is not a number: nothing was learned from that step."""

    exit_code = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1

    @classmethod
    def from_environment(cls, device: torch.device) -> Workers:
        """As `torchrun` and `accelerate launch` say by RANK and WORLD_SIZE."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        if not torch.distributed.is_initialized():
            backend = "nccl" if device.type == "cuda" else "gloo"
            torch.distributed.init_process_group(backend)
        return cls(rank=torch.distributed.get_rank(), count=count)

    def part(self) -> None:
        """Leave the others, once all is done."""
        if self.count > 1:
            torch.distributed.destroy_process_group()

    def gathered(self, text: str) -> list[str]:
        """What each worker has to say, in their order; all must ask."""
        if self.count == 1:
            return [text]
        said: list[str] = [""] * self.count
        torch.distributed.all_gather_object(said, text)
        return said

    def total(self, value: Tensor) -> Tensor:
        """The sum over all workers, in place."""
        if self.count > 1:
            torch.distributed.all_reduce(value)
        return value


class Feed:
    """Masked rows of pass after pass, made ahead by threads where a GPU would wait for them."""

    def __init__(
        self,
        batches: Batches,
        vocabulary: Vocabulary,
        mixture: Mixture,
        *,
        seed: int,
        ahead: int = 0,
        stride: int = 1,
    ) -> None:
        self._batches, self._vocabulary, self._mixture = batches, vocabulary, mixture
        self._seed, self._ahead, self._stride = seed, ahead, stride
        self._pool = ThreadPoolExecutor(max(1, ahead // 2)) if ahead else None
        self._waiting: deque[tuple[int, Future[Masked]]] = deque()

    def documents(self, number: int) -> NDArray:  # type: ignore[type-arg]
        """The documents in pass `number`."""
        return self._batches.rows(number).documents

    def make(self, number: int) -> Masked:
        """The rows of pass `number`, the same whenever it is asked for."""
        import numpy as np

        rows = self._batches.rows(number)
        rng = np.random.default_rng([self._seed, 2, number])
        return masked_rows(
            rng, rows.tokens, rows.available, rows.length, self._vocabulary, self._mixture
        )

    def __call__(self, number: int) -> Masked:
        """The rows of pass `number`; those of the passes after it are begun."""
        if self._pool is None:
            return self.make(number)
        if not self._waiting or self._waiting[0][0] != number:
            self._waiting.clear()
        following = self._waiting[-1][0] + self._stride if self._waiting else number
        while len(self._waiting) < self._ahead:
            self._waiting.append((following, self._pool.submit(self.make, following)))
            following += self._stride
        return self._waiting.popleft()[1].result()


@dataclass(slots=True)
class Sums:
    """What a step's passes add up to."""

    loss: float
    """Nats for a hidden token, weighted as the objective says."""
    hidden: int
    gradients: Weights
    """Of the working copy, float32."""
    agreed: list[float]
    """What rank 0 handed in, as all workers know it now."""


def step_gradients(
    working: Weights,
    shape: Shape,
    feed: Feed,
    passes: Sequence[int],
    workers: Workers,
    *,
    plain: Plain | None = None,
    tell: Sequence[float] = (),
) -> Sums:
    """Gradients of the mean loss over the passes of all workers."""
    leaves = list(working.values())
    device = leaves[0].device
    sizes = [leaf.numel() for leaf in leaves]
    flat = torch.zeros(sum(sizes) + 3 + len(tell), device=device)
    sums = [
        piece.view_as(leaf)
        for piece, leaf in zip(flat.split([*sizes, 3 + len(tell)]), leaves, strict=False)
    ]
    facts = flat[-3 - len(tell) :]
    for number in passes:
        loss, weight, hidden, made = pass_gradients(working, shape, feed(number), plain)
        torch._foreach_add_(sums, [gradient.float() for gradient in made])
        facts[:3] += torch.stack([loss, weight, hidden])
    if workers.rank == 0 and tell:
        facts[3:] = torch.tensor(list(tell), device=device)
    workers.total(flat)
    told = facts.tolist()
    weight = max(told[1], 1e-9)
    torch._foreach_div_(sums, weight)
    return Sums(
        loss=told[0] / weight,
        hidden=int(told[2]),
        gradients=dict(zip(working, sums, strict=True)),
        agreed=told[3:],
    )


def pass_gradients(
    working: Weights, shape: Shape, rows: Masked, plain: Plain | None
) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
    """Loss and weight summed over hidden tokens, how many there are, and the loss's gradients."""
    device = working["embed"].device
    weights = torch.from_numpy(rows.weights)
    row, position = weights.nonzero(as_tuple=True)
    hidden = weights.new_tensor(float(len(row))).to(device)
    weights = _filled(weights[row, position]).to(device)
    targets = _filled(torch.from_numpy(rows.targets)[row, position]).to(device)
    inputs = torch.from_numpy(rows.inputs).to(device)
    # Shifted: what stands before a position says it.
    before = _filled(row * inputs.shape[1] + position - 1).to(device)
    x = hidden_states(working, shape, inputs, before, plain=plain)
    loss = head_loss(x, working["embed"], targets, weights)
    made = torch.autograd.grad(loss, list(working.values()))
    return loss.detach().float(), weights.sum(), hidden, made


def _filled(values: Tensor) -> Tensor:
    """Zeros behind them up to a multiple of 64: a new length costs a CPU a new plan of its matmuls.

    What is filled in weighs nothing.
    """
    return torch.nn.functional.pad(values, (0, -len(values) % 64))


def check_master(master: Weights, when: str) -> None:
    """Raises `NotFiniteError` when a master weight is not finite, and names it."""
    bad = [name for name, weight in master.items() if not weight.isfinite().all()]
    if bad:
        raise NotFiniteError(f"{when}: the parameter {bad[0]} is not finite", hint=_HINT)


def not_finite(
    step: int,
    master: Weights,
    working: Weights,
    shape: Shape,
    feed: Feed,
    passes: Sequence[int],
    plain: Plain | None,
    workers: Workers,
) -> NotFiniteError:
    """The error that names the step, the batch and the parameter that went wrong first.

    Every worker looks through its own passes, and all of them say what the first finding was.
    """
    try:
        check_master(master, f"before step {step}")
    except NotFiniteError as error:
        return error
    found = workers.gathered(_first_broken(working, shape, feed, passes, plain))
    said = next(filter(None, found), "all batches: their gradients add up to what is not finite")
    return NotFiniteError(f"step {step}, {said}", hint=_HINT)


_HINT = "lower the rate (--set optimiser.rate=...), and begin anew: a checkpoint is from before"


def _first_broken(
    working: Weights, shape: Shape, feed: Feed, passes: Sequence[int], plain: Plain | None
) -> str:
    """The first pass that is not finite, in words; empty when all are."""
    for number in passes:
        loss, _, _, made = pass_gradients(working, shape, feed.make(number), plain)
        broken = [n for n, g in zip(working, made, strict=True) if not g.isfinite().all()]
        if broken or not loss.isfinite():
            of = ", ".join(str(document) for document in feed.documents(number)[:5])
            # Backwards from the loss, the last parameter is met first.
            what = (
                f"the gradient of {broken[-1]} is not finite"
                if broken
                else "all gradients are finite"
            )
            return f"batch {number} (documents {of}, ...): loss {float(loss):g}, {what}"
    return ""
