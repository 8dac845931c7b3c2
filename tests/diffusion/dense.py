"""Every rule once more, slowly: all steps, all positions, the whole vocabulary sorted each time.

Shares nothing with `trueval.diffusion` but the settings and the random numbers, so that the engine
can be compared with it token by token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from trueval.diffusion.noise import Noise
from trueval.diffusion.settings import Settings


def draw(logits: Tensor, u: float, settings: Settings) -> tuple[int, float]:
    """One token of logits [vocabulary], and its log-probability before top-k and top-p."""
    logp = (logits.double() / (settings.temperature or 1.0)).log_softmax(0)
    order = logits.sort(descending=True, stable=True).indices
    if settings.temperature == 0:
        return int(order[0]), float(logp[order[0]].float())
    kept = order[: settings.top_k] if settings.top_k else order
    p = logp[kept].exp()
    p = p / p.sum()
    before = p.cumsum(0) - p
    # Less a rounding, so that a front that reaches top_p exactly is not one token longer.
    p = p[(before < settings.top_p - 1e-12) & (p > 0)]
    place = int((p.cumsum(0) <= u * p.sum()).sum())
    token = int(kept[min(place, len(p) - 1)])
    return token, float(logp[token].float())


def fill(
    model: Callable[[Tensor], Tensor],
    count: int,
    noise: Noise,
    settings: Settings,
    *,
    mask: int,
    never: Sequence[int] = (),
) -> list[Tensor]:
    """The gap after each step; `model` maps a gap, int64 [V], to logits, float [V, vocabulary]."""
    gap = torch.full((count,), mask)
    history = []
    for i in range(settings.steps):
        logits = model(gap).float().clone()
        logits[:, [mask, *never]] = -torch.inf
        u = noise.uniform(i, count, "draw")
        drawn = [draw(logits[j], float(u[j]), settings) for j in range(count)]
        gap = step(gap, i, drawn, logits, noise, settings, mask)
        history.append(gap)
    return history


def step(
    gap: Tensor,
    i: int,
    drawn: Sequence[tuple[int, float]],
    logits: Tensor,
    noise: Noise,
    settings: Settings,
    mask: int,
) -> Tensor:
    """The gap after step i, rule by rule."""
    count, steps, name = len(gap), settings.steps, settings.sampler
    t, s = (1 - j * (1 - 1e-3) / steps for j in (i, i + 1))
    last = i == steps - 1
    masks = [j for j in range(count) if gap[j] == mask]
    logp = (logits.double() / (settings.temperature or 1.0)).log_softmax(1)
    sure = [confidence for _, confidence in drawn]
    after = gap.clone()
    reveal: list[int] = []
    if name == "origin":
        u = noise.uniform(i, count, "reveal")
        reveal = [j for j in masks if last or u[j] < 1 - s / t]
    elif name == "remdm":
        u, v = noise.uniform(i, count, "reveal"), noise.uniform(i, count, "remask")
        sigma = 0.0 if last else min(settings.cap, s / (1 - t) if t < 1 else 1.0)
        chance = ((1 - s) - (1 - sigma) * (1 - t)) / t
        reveal = [j for j in masks if last or u[j] < chance]
        for j in set(range(count)) - set(masks):
            if v[j] < sigma:
                after[j] = mask
    elif name in ("p2", "p2-self"):
        if name == "p2-self":
            sure = [c if j in masks else float(logp[j, gap[j]].float()) for j, c in enumerate(sure)]
        keep = count * (steps - i - 1) // steps
        if settings.mode == "parallel" and keep:
            keep = max(min(keep, count - enough(sure, settings), len(masks) - 1), 0)
        again = sorted(range(count), key=lambda j: (sure[j], j))[:keep]
        reveal = [j for j in masks if j not in again]
        after[again] = mask
    elif name in ("threshold", "factor"):
        due = -(-len(masks) // (steps - i))
        ahead = enough([sure[j] for j in masks], settings)
        reveal = sorted(masks, key=lambda j: (-sure[j], j))[: max(due, ahead)]
    else:
        heat = settings.remask_temperature
        best = logp.exp().sort(1, descending=True).values
        score = {
            "maskgit_plus": torch.tensor(sure, dtype=torch.float64),
            "topk_margin": best[:, 0] - best[:, 1],
            "entropy": torch.special.xlogy(logp.exp(), logp.exp()).sum(1).float().double(),
        }[name]
        if heat:
            score = score.exp() if name == "maskgit_plus" else score
            score = score / heat - (-noise.uniform(i, count, "gumbel").log()).log()
        due = len(masks) // (steps - i)
        if settings.published_times:
            due = len(masks) if last else int(len(masks) * (1 - s / t))
        reveal = sorted(masks, key=lambda j: (-float(score[j]), j))[:due]
    for j in reveal:
        after[j] = drawn[j][0]
    return after


def enough(sure: Sequence[float], settings: Settings) -> int:
    """How many of these log-probabilities Fast-dLLM reveals together."""
    p = sorted(torch.tensor(sure, dtype=torch.float64).exp().tolist(), reverse=True)
    factor = settings.sure_factor
    if factor is None:
        return sum(value >= (settings.sure or 0) for value in p)
    return max((n for n in range(1, len(p) + 1) if (n + 1) * (1 - p[n - 1]) < factor), default=0)
