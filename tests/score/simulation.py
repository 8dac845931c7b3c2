"""Worlds in which the truth is known, to ask every interval and test about it.

Problems have difficulties, drawn anew in each round; samples are coin tosses of them. The tests of
this folder play a few hundred rounds, `benchmarks/simulation.py` thousands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trueval.score.compare import difference_interval, paired_samples, sign_flip_test
from trueval.score.intervals import cluster_bootstrap, wilson
from trueval.score.multiple import best_of_n_bias, holm
from trueval.score.power import smallest_detectable


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where problems come from: a problem is as hard for B as for A, or `apart` drawn anew."""

    name: str
    shape: tuple[float, float]
    """Of the beta distribution of A's chance on a problem."""
    other: tuple[float, float] | None = None
    """The same for B; None: B is the same model."""
    apart: float = 1.0
    """Share of problems on which B's chance is drawn anew from `other`."""
    problems: int = 164
    samples: tuple[int, int] = (1, 1)

    @property
    def gap(self) -> float:
        """The true difference, B less A."""
        if self.other is None:
            return 0.0
        a, b = (first / (first + second) for first, second in (self.shape, self.other))
        return self.apart * (b - a)

    def draw(self, rng: np.random.Generator) -> tuple[list[float], list[float]]:
        """Shares of passes of A and B, problem by problem."""
        chance_a = chance_b = rng.beta(*self.shape, self.problems)
        if self.other is not None:
            anew = rng.random(self.problems) < self.apart
            chance_b = np.where(anew, rng.beta(*self.other, self.problems), chance_a)
        a, b = (
            rng.binomial(n, chance) / n
            for n, chance in zip(self.samples, (chance_a, chance_b), strict=True)
        )
        return a.tolist(), b.tolist()


IDENTICAL = (
    World(name="164 x 1, middling", shape=(0.5, 0.5)),
    World(name="164 x 1, weak", shape=(0.2, 3.0)),
    World(name="164 x 1, on the floor", shape=(0.05, 1.5)),
    World(name="164 x 1, strong", shape=(3.0, 0.4)),
    World(name="20 x 1, middling", shape=(0.5, 0.5), problems=20),
    World(name="1033 x 1, middling", shape=(0.5, 0.5), problems=1033),
    World(name="164 x 5, middling", shape=(0.5, 0.5), samples=(5, 5)),
    World(name="164 x 5, weak", shape=(0.2, 3.0), samples=(5, 5)),
    World(name="164 x 20, middling", shape=(0.5, 0.5), samples=(20, 20)),
    World(name="164 x 1 and 10, middling", shape=(0.5, 0.5), samples=(1, 10)),
    World(name="164 x 1 and 10, weak", shape=(0.2, 3.0), samples=(1, 10)),
    World(name="30 x 1 and 20, weak", shape=(0.3, 1.5), problems=30, samples=(1, 20)),
)
DIFFERENT = (
    World(name="164 x 1, a little better", shape=(0.5, 0.5), other=(0.9, 0.3), apart=0.3),
    World(name="164 x 1, unlike but equal", shape=(0.5, 0.5), other=(0.5, 0.5)),
    World(name="164 x 1, from the floor", shape=(0.05, 1.5), other=(0.6, 0.6), apart=0.3),
    World(name="164 x 1, few differ", shape=(0.02, 0.02), other=(0.9, 0.3), apart=0.05),
    World(name="30 x 1, a little better", shape=(0.5, 0.5), other=(0.9, 0.3), problems=30),
    World(name="164 x 5, a little better", shape=(0.5, 0.5), other=(0.9, 0.3), samples=(5, 5)),
    World(name="164 x 5, weak", shape=(0.1, 2.0), other=(0.3, 2.0), apart=0.5, samples=(5, 5)),
    World(name="164 x 1 and 10", shape=(0.5, 0.5), other=(0.9, 0.5), samples=(1, 10)),
)
SINGLE = tuple(world for world in IDENTICAL if world.samples[0] == world.samples[1])


def coverage_of_scores(world: World, rounds: int, seed: int) -> float:
    """How often a run's own interval holds the truth."""
    rng = np.random.default_rng(seed)
    truth = world.shape[0] / sum(world.shape)
    held = 0
    for _ in range(rounds):
        values, _ = world.draw(rng)
        low, high = (
            wilson(round(sum(values)), world.problems)
            if world.samples[0] == 1
            else cluster_bootstrap(values, resamples=1_000)
        )
        held += low <= truth <= high
    return held / rounds


def compared(world: World, rounds: int, seed: int) -> dict[str, float]:
    """How often the interval of a difference holds the truth, and how often a claim is made."""
    rng = np.random.default_rng(seed)
    held = rejected = claimed = wrong = 0
    for _ in range(rounds):
        a, b = world.draw(rng)
        steps, gaps = paired(a, b, paired_samples(*world.samples))
        # As `difference` does it, without the power that it adds, which takes longest.
        low, high, _ = difference_interval(gaps, resamples=1_000)
        p, _ = sign_flip_test(gaps, steps=steps)
        claim = p <= 0.05 and not low <= 0 <= high
        held += low <= world.gap <= high
        rejected += p <= 0.05
        claimed += claim
        wrong += claim and sum(gaps) * world.gap < 0
    counts = {"coverage": held, "p_at_most_5_percent": rejected, "claims": claimed}
    return {name: n / rounds for name, n in (*counts.items(), ("wrong_way", wrong))}


def paired(a: list[float], b: list[float], samples: int) -> tuple[list[int], list[float]]:
    """Differences of B and A in whole numbers, and as shares."""
    steps = [round((y - x) * samples) for x, y in zip(a, b, strict=True)]
    return steps, [step / samples for step in steps]


def family_false_positives(others: int, rounds: int, seed: int) -> float:
    """How often any of several identical models has a corrected p of at most 5 %."""
    rng = np.random.default_rng(seed)
    claimed = 0
    for _ in range(rounds):
        chance = rng.beta(0.5, 0.5, 164)
        first, *rest = (rng.random((others + 1, 164)) < chance).astype(float).tolist()
        found = [paired(first, other, 1) for other in rest]
        corrected = holm([sign_flip_test(gaps, steps=steps)[0] for steps, gaps in found])
        claimed += min(corrected) <= 0.05
    return claimed / rounds


def power_at_detectable(problems: int, flipping: float, rounds: int, seed: int) -> dict[str, float]:
    """How often McNemar's test finds a difference of the size that is called detectable."""
    from scipy import stats

    rng = np.random.default_rng(seed)
    delta = smallest_detectable(flipping, problems)
    share = max(flipping, delta)
    chances = [(share + delta) / 2, (share - delta) / 2, 1 - share]
    ups, downs, _ = rng.multinomial(problems, chances, size=rounds).T
    pairs = zip(ups.tolist(), downs.tolist(), strict=True)
    found = sum(
        up + down > 0 and stats.binomtest(up, up + down).pvalue <= 0.05 for up, down in pairs
    )
    return {"detectable": delta, "power": found / rounds}


def best_of(configs: int, spread: float, rounds: int, seed: int) -> dict[str, float]:
    """The bias of the best of N as it is, and as it is estimated; `spread` of their true scores."""
    rng = np.random.default_rng(seed)
    true, estimated = [], []
    for _ in range(rounds):
        chance = rng.beta(0.5, 0.5, 164)
        shifts = np.linspace(-spread, spread, configs)[:, None]
        chances = np.clip(chance + shifts, 0, 1)
        rows = (rng.random((configs, 164)) < chances).astype(float)
        found = best_of_n_bias(rows.tolist(), resamples=200)
        # The truth over all problems of the kind, not over the 164 that were drawn.
        everywhere = np.clip(rng.beta(0.5, 0.5, 5_000) + shifts[found.best], 0, 1).mean()
        true.append(found.observed - float(everywhere))
        estimated.append(found.bias)
    return {
        "true": float(np.mean(true)),
        "estimated": float(np.mean(estimated)),
        "noise": float(np.std(true) / rounds**0.5),
    }
