"""Muon for the matrices inside the network, AdamW for the rest, and the learning rate's course.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces a matrix's momentum
by the nearest matrix whose singular values are all about 1. Updates are scaled by
0.2 sqrt(max(rows, columns)) to AdamW's usual size, and weights decay (Moonlight, arXiv 2502.16982),
so that one learning rate serves both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from trueval.errors import ConfigError
from trueval.tuning.net import Shape, Weights, parts

WARM_UP_STEPS = 50
"""The fewest steps of a warm-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimiser:
    """The settings of the optimiser; rates are learning rates at their highest."""

    name: Literal["muon", "adamw"] = "muon"
    rate: float = 4e-3
    """Of the matrices inside the network."""
    rest_rate: float = 4e-3
    """Of embeddings, norms and biases."""
    decay: float = 0.1
    """Weight decay of matrices, times the learning rate."""
    momentum: float = 0.95
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    """The largest norm of the gradient; longer ones are shortened to it."""
    course: Literal["wsd", "cosine"] = "wsd"
    warm_up: float = 0.02
    anneal: float = 0.4
    """The last share of the course in which `wsd` goes down to zero, in a straight line."""

    def __post_init__(self) -> None:
        if self.name not in ("muon", "adamw") or self.course not in ("wsd", "cosine"):
            raise ConfigError(
                f"unknown optimiser {self.name!r} or course {self.course!r}",
                hint="name: muon or adamw; course: wsd or cosine",
            )

    @property
    def falls_from(self) -> float:
        """The share of the course after which the rate only goes down, and does so steeply."""
        return 0.5 if self.course == "cosine" else 1 - self.anneal

    def factor(self, progress: float, step: int) -> float:
        """The rate of a step at a share of the course, as a share of the highest one."""
        progress = min(max(progress, 0.0), 1.0)
        up = min(1.0, (progress + 1e-4) / self.warm_up) if self.warm_up else 1.0
        # By a clock the first steps can be over before many are done: slow ones, or few.
        up = min(up, (step + 1) / WARM_UP_STEPS) if self.warm_up else 1.0
        if self.course == "cosine":
            return up * 0.5 * (1 + math.cos(math.pi * progress))
        # Warm up, stay, go down (WSD, arXiv 2404.06395); in a line to zero (arXiv 2502.15938).
        return min(up, (1 - progress) / self.anneal) if self.anneal else up


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """About the nearest semi-orthogonal matrix of each, [N, rows, columns], by Newton-Schulz.

    The quintic of Muon's authors (same source): singular values end between about 0.7 and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if tall else x


class Optimisation:
    """The optimiser's state, and its step on the master weights."""

    def __init__(self, settings: Optimiser, master: Weights, shape: Shape) -> None:
        self.settings = settings
        self.steps = 0
        inner = {name for name, w in master.items() if w.ndim == 2 and name != "embed"}
        self._rates = {
            name: settings.rate if name in inner else settings.rest_rate for name in master
        }
        self._matrices = [n for n in master if n in inner and settings.name == "muon"]
        self._rest = [name for name in master if name not in self._matrices]
        self._groups = _same_shapes(self._matrices, master, shape)
        self.momentum = {name: torch.zeros_like(master[name]) for name in self._matrices}
        self.first = {name: torch.zeros_like(master[name]) for name in self._rest}
        self.second = {name: torch.zeros_like(master[name]) for name in self._rest}

    def step(self, master: Weights, gradients: Mapping[str, Tensor], factor: float) -> float:
        """Change the master weights in place; the norm of the gradients before they are clipped."""
        with torch.no_grad():
            every = list(gradients.values())
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(every)))
            if self.settings.clip:
                torch._foreach_mul_(every, (self.settings.clip / (norm + 1e-6)).clamp(max=1.0))
            self.steps += 1
            self._muon(master, gradients, self.settings.rate * factor)
            self._adamw(master, gradients, factor)
        return float(norm)

    def _muon(self, master: Weights, gradients: Mapping[str, Tensor], rate: float) -> None:
        beta, decay = self.settings.momentum, self.settings.decay
        if not self._matrices:
            return
        momenta = [self.momentum[name] for name in self._matrices]
        new = [gradients[name] for name in self._matrices]
        torch._foreach_lerp_(momenta, new, 1 - beta)
        ahead = torch._foreach_lerp(new, momenta, beta)  # Nesterov's look ahead
        updates = dict(zip(self._matrices, ahead, strict=True))
        torch._foreach_mul_([master[name] for name in self._matrices], 1 - rate * decay)
        for pieces in self._groups:
            stacked = torch.stack([updates[name][start:end] for name, start, end in pieces])
            scale = rate * 0.2 * max(stacked.shape[1:]) ** 0.5
            for (name, start, end), update in zip(pieces, orthogonal(stacked), strict=True):
                master[name][start:end].add_(update, alpha=-scale)

    def _adamw(self, master: Weights, gradients: Mapping[str, Tensor], factor: float) -> None:
        one, two = self.settings.betas
        for name in self._rest:
            rate = self._rates[name] * factor
            gradient, first, second = gradients[name], self.first[name], self.second[name]
            first.lerp_(gradient, 1 - one)
            second.lerp_(gradient.square(), 1 - two)
            size = (second / (1 - two**self.steps)).sqrt_().add_(1e-8)
            # Gains and biases keep their size: only matrices decay.
            if master[name].ndim == 2:
                master[name].mul_(1 - rate * self.settings.decay)
            master[name].addcdiv_(first / (1 - one**self.steps), size, value=-rate)

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {
            "steps": self.steps,
            "momentum": self.momentum,
            "first": self.first,
            "second": self.second,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.steps = state["steps"]
        for mine, name in (
            (self.momentum, "momentum"),
            (self.first, "first"),
            (self.second, "second"),
        ):
            for key, tensor in mine.items():
                tensor.copy_(state[name][key])


def _same_shapes(
    names: list[str], master: Weights, shape: Shape
) -> list[list[tuple[str, int, int]]]:
    """Pieces (tensor, first row, end) of equal shape, to be made orthogonal at once.

    Fused matrices count as what they are made of: queries and keys share no scale.
    """
    groups: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
    for name in names:
        rows, columns = master[name].shape
        start = 0
        for size in parts(shape, name.rpartition(".")[2]) or (rows,):
            groups.setdefault((size, columns), []).append((name, start, start + size))
            start += size
    return list(groups.values())
