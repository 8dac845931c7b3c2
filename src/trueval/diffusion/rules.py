"""The published rules by which a step reveals positions of a gap or masks them again.

A step's tokens are `[V]`: the variable positions of one gap. Every rule is a pure function of the
step and of what was drawn for its positions, and leaves no mask after the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trueval.diffusion.noise import Noise
from trueval.diffusion.odds import Odds
from trueval.diffusion.settings import Settings

LAST_TIME = 1e-3
"""Where the published times end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the `steps` of a gap, before its forward. All tensors are on the CPU."""

    index: int
    """0..steps-1."""
    steps: int
    tokens: Tensor
    """The gap as it stands: int64 [V]."""
    masked: Tensor
    """bool [V], where `tokens` is the mask."""
    mask_id: int
    noise: Noise
    settings: Settings
    first: int = 0
    """The number of the first position, by which noise counts: not 0 for a later block of a gap."""
    _numbers: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def uniform(self, stream: str) -> Tensor:
        """This step's random numbers in a stream: float64 [V], each strictly between 0 and 1.

        Rules ask for the same more than once: what may change, what is read, what comes of it.
        """
        if stream not in self._numbers:
            drawn = self.noise.uniform(self.index, self.first + len(self.tokens), stream)
            self._numbers[stream] = drawn[self.first :]
        return self._numbers[stream]

    @property
    def is_last(self) -> bool:
        """No step follows, so every mask has to go."""
        return self.index == self.steps - 1

    @property
    def times(self) -> tuple[float, float]:
        """The published times of this step and the next: steps + 1 equal points from 1 to 1e-3."""
        pace = (1 - LAST_TIME) / self.steps
        return 1 - self.index * pace, 1 - (self.index + 1) * pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """A fresh draw at the positions that a rule reads, and nothing of use elsewhere. All `[V]`."""

    tokens: Tensor
    """int64, the drawn tokens."""
    confidence: Tensor
    """float32, the drawn tokens' log-probabilities before truncation."""
    margin: Tensor
    """float64, the probability of the best token less that of the second."""
    entropy: Tensor
    """float32, in nats; nan unless `Odds.of` was asked for it."""
    own: Tensor
    """float32, log-probabilities of the tokens in place; nan unless `Odds.of` was given them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, what it needs to know, and when a step of it is worth a forward."""

    name: str
    source: str
    revisits: bool
    """A revealed position may be masked again."""
    may_change: Callable[[Step], Tensor]
    """Positions that the step may touch, known before a forward: bool [V]; none = do not run it."""
    reads: Callable[[Step], Tensor]
    """Positions whose draws the step reads: bool [V]; none = `apply` needs no forward."""
    apply: Callable[[Step, Draws], Tensor]
    """The gap after the step: int64 [V]."""
    compares: bool = False
    """Scores all positions of the gap against one another, revealed ones too."""
    needs_entropy: bool = False
    needs_own: bool = False


def draw(step: Step, at: Tensor, odds: Odds) -> Draws:
    """What the step draws from `odds`, those of the positions `at` (int64 [Q]) of its gap."""
    tokens, logp = odds.draw(step.uniform("draw")[at])

    def spread(values: Tensor) -> Tensor:
        return values.new_zeros(len(step.tokens)).index_copy(0, at, values)

    return Draws(
        tokens=spread(tokens),
        confidence=spread(logp),
        margin=spread(odds.margin),
        entropy=spread(odds.entropy),
        own=spread(odds.own),
    )


def origin(step: Step, draws: Draws) -> Tensor:
    """Each mask is revealed with probability 1 - s/t, all in the last step.

    The reverse process of masked diffusion: Sahoo et al. 2024 (arXiv 2406.07524); `origin` in
    Dream's sampler.
    """
    return torch.where(_arrivals(step), draws.tokens, step.tokens)


def maskgit_plus(step: Step, draws: Draws) -> Tensor:
    """The masks whose drawn tokens are likeliest are revealed, by the step's count.

    MaskGIT (Chang et al. 2022, arXiv 2202.04200); `maskgit_plus` in Dream's sampler.
    """
    # Ranked by log-probability, where near-certain tokens still differ. Noise goes on
    # probabilities, as published.
    hot = step.settings.remask_temperature > 0
    score = draws.confidence.double().exp() if hot else draws.confidence
    return _reveal(step, draws, score, _scheduled(step))


def topk_margin(step: Step, draws: Draws) -> Tensor:
    """The masks whose best token is farthest ahead of the second are revealed, by the step's count.

    Kim et al. 2025, "Train for the worst, plan for the best" (arXiv 2502.06768).
    """
    return _reveal(step, draws, draws.margin, _scheduled(step))


def entropy(step: Step, draws: Draws) -> Tensor:
    """The masks of least entropy are revealed, by the step's count.

    `entropy` in Dream's sampler (arXiv 2508.15487).
    """
    return _reveal(step, draws, -draws.entropy, _scheduled(step))


def p2(step: Step, draws: Draws) -> Tensor:
    """Path planning: the least sure positions are masked, revealed ones too, and the rest revealed.

    A revealed position that stays keeps its token, but is scored by a fresh draw. Peng et al. 2025
    (arXiv 2502.03540), as in Open-dCoder's loop.
    """
    return _plan(step, draws, draws.confidence)


def p2_self(step: Step, draws: Draws) -> Tensor:
    """`p2`, with a revealed position scored by the token that stands there.

    So a token that has come to look unlikely is masked again, even where a fresh draw looks likely.
    """
    return _plan(step, draws, torch.where(step.masked, draws.confidence, draws.own))


def remdm(step: Step, draws: Draws) -> Tensor:
    """Revealed positions are masked again by chance, and masks revealed by as much more of it.

    ReMDM-cap of Wang et al. 2025 (arXiv 2503.00307), with alpha = 1 - time and sigma at most
    `remask_cap`.
    """
    comes, goes = _exchange(step)
    return torch.where(comes, draws.tokens, step.tokens).masked_fill(goes, step.mask_id)


def threshold(step: Step, draws: Draws) -> Tensor:
    """Every mask whose drawn token is sure enough is revealed, and what the steps left require.

    Fast-dLLM's threshold, and its factor (Wu et al. 2025, arXiv 2505.22618): one mask at least.
    """
    due = -(-int(step.masked.sum()) // (step.steps - step.index))
    ahead = _sure_count(draws.confidence[step.masked], step.settings)
    return _reveal(step, draws, draws.confidence, max(due, ahead))


def _plan(step: Step, draws: Draws, score: Tensor) -> Tensor:
    """The gap revealed but for the step's count of least sure positions: score float [V] -> [V]."""
    count = _planned(step)
    if count and step.settings.mode == "parallel":
        # What is sure is not masked, and each step leaves fewer masks: ahead of schedule.
        unsure = len(score) - _sure_count(score, step.settings)
        count = min(count, unsure, max(int(step.masked.sum()) - 1, 0))
    tokens = torch.where(step.masked, draws.tokens, step.tokens)
    if count:
        tokens[score.argsort(stable=True)[:count]] = step.mask_id
    return tokens


def _reveal(step: Step, draws: Draws, score: Tensor, count: int) -> Tensor:
    """The gap with its `count` masks of highest score revealed, ties to the lower position.

    score float [V] -> int64 [V]
    """
    temperature = step.settings.remask_temperature
    if temperature > 0:
        # The largest of score + Gumbel noise are draws without replacement (arXiv 1903.06059).
        score = score.double() / temperature - (-step.uniform("gumbel").log()).log()
    places = step.masked.nonzero().flatten()  # [m]
    chosen = places[score[places].argsort(descending=True, stable=True)[:count]]
    return step.tokens.index_copy(0, chosen, draws.tokens[chosen])


def _sure_count(confidence: Tensor, settings: Settings) -> int:
    """How many of these log-probabilities may be revealed together: float32 [n] -> 0..n."""
    probability = confidence.double().exp().sort(descending=True).values
    if settings.sure_factor is not None:
        rank = torch.arange(1, len(probability) + 1)
        fits = (rank + 1) * (1 - probability) < settings.sure_factor
        return int(fits.nonzero().max()) + 1 if bool(fits.any()) else 0
    return int((probability >= settings.sure).sum())


def _scheduled(step: Step) -> int:
    """How many of a confidence rule's masks the step reveals: int(m (1 - s/t)), all in the last."""
    masks = int(step.masked.sum())
    if step.settings.published_times and not step.is_last:
        now, then = step.times
        return int(masks * (1 - then / now))
    # The limit of the times' end at 0, in integers: with a step for each mask never two at once.
    return masks // (step.steps - step.index)


def _planned(step: Step) -> int:
    """How many positions path planning leaves masked: floor(V (1 - (i + 1)/S))."""
    return len(step.tokens) * (step.steps - step.index - 1) // step.steps


def _arrivals(step: Step) -> Tensor:
    """The masks that `origin` reveals: bool [V]."""
    now, then = step.times
    chance = 1.0 if step.is_last else 1 - then / now
    return step.masked & (step.uniform("reveal") < chance)


def _exchange(step: Step) -> tuple[Tensor, Tensor]:
    """The masks that `remdm` reveals and the revealed positions that it masks: bool [V] each."""
    if step.is_last:
        return step.masked, torch.zeros_like(step.masked)
    now, then = step.times
    alpha, alpha_then = 1 - now, 1 - then
    sigma = min(step.settings.cap, then / alpha) if alpha > 0 else step.settings.cap
    chance = (alpha_then - (1 - sigma) * alpha) / now
    comes = step.masked & (step.uniform("reveal") < chance)
    return comes, ~step.masked & (step.uniform("remask") < sigma)


def _masks_if_due(step: Step) -> Tensor:
    return step.masked & (_scheduled(step) > 0)


def _all_or_masks(step: Step) -> Tensor:
    """Path planning compares all positions while it leaves some masked, then takes the masks."""
    if step.settings.mode == "parallel" and not step.masked.any():
        return step.masked
    return step.masked | (_planned(step) > 0)


def _masks(step: Step) -> Tensor:
    return step.masked


def _rule(
    apply: Callable[[Step, Draws], Tensor],
    name: str,
    source: str,
    may_change: Callable[[Step], Tensor],
    *,
    reads: Callable[[Step], Tensor] | None = None,
    revisits: bool = False,
    compares: bool = False,
) -> Rule:
    return Rule(
        name=name,
        source=source,
        revisits=revisits,
        may_change=may_change,
        reads=reads or may_change,
        apply=apply,
        compares=compares,
        needs_entropy=name == "entropy",
        needs_own=name == "p2-self",
    )


_ALL = (
    _rule(origin, "origin", "arXiv 2406.07524", _arrivals),
    _rule(maskgit_plus, "maskgit_plus", "arXiv 2202.04200", _masks_if_due),
    _rule(topk_margin, "topk_margin", "arXiv 2502.06768", _masks_if_due),
    _rule(entropy, "entropy", "arXiv 2508.15487", _masks_if_due),
    _rule(p2, "p2", "arXiv 2502.03540", _all_or_masks, revisits=True, compares=True),
    _rule(p2_self, "p2-self", "arXiv 2502.03540", _all_or_masks, revisits=True, compares=True),
    _rule(
        remdm,
        "remdm",
        "arXiv 2503.00307",
        lambda step: torch.logical_or(*_exchange(step)),
        reads=lambda step: _exchange(step)[0],
        revisits=True,
    ),
    _rule(threshold, "threshold", "arXiv 2505.22618", _masks),
    _rule(threshold, "factor", "arXiv 2505.22618", _masks),
)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}
"""By name; the same names as `settings.SAMPLERS`."""
