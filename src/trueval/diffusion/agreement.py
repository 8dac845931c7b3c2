"""How often an approximate mode fills a gap as the exact one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trueval.diffusion.engine import Engine
from trueval.diffusion.gaps import Gap
from trueval.diffusion.settings import Settings
from trueval.errors import ConfigError

__all__ = ["Agreement", "exact_twin", "measure_agreement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a sample of gaps says of an approximation, beside the same gaps filled exactly."""

    mode: str
    """The approximation in words."""
    rows: int
    same_rows: int
    """Rows with the same tokens throughout."""
    tokens: int
    same_tokens: int

    def __str__(self) -> str:
        rows, tokens = self.same_rows, self.same_tokens
        same = f"{rows}/{self.rows} rows and {tokens}/{self.tokens} tokens as in exact mode"
        return f"{self.mode}: {same}"


def exact_twin(settings: Settings) -> Settings:
    """The same settings in exact mode."""
    hurried = settings.mode == "parallel"
    keeps = settings.sampler in ("threshold", "factor") or not hurried
    return replace(
        settings,
        mode="exact",
        refresh=Settings().refresh,
        threshold=settings.threshold if keeps else None,
        factor=settings.factor if keeps else None,
    )


def measure_agreement(engine: Engine, gaps: Sequence[Gap], *, sample: int = 32) -> Agreement:
    """Fill up to `sample` of the gaps, evenly spaced, as asked and exactly, and compare.

    All gaps are of one approximate mode. Raises `ConfigError` when there is nothing to compare.
    """
    if sample < 1:
        raise ValueError(f"agreement on a sample of {sample}")
    modes = {gap.settings.mode for gap in gaps}
    if len(modes) != 1 or "exact" in modes:
        raise ConfigError(
            f"agreement is measured for gaps of one approximate mode, not of {sorted(modes)}",
            hint="set mode to cached or parallel",
        )
    count = min(sample, len(gaps))
    picked = [gaps[index * len(gaps) // count] for index in range(count)]
    found = engine.fill(picked)
    exact = engine.fill(replace(gap, settings=exact_twin(gap.settings)) for gap in picked)
    pairs = [(a.told, b.told) for a, b in zip(found, exact, strict=True)]
    return Agreement(
        mode=found[0].mode,
        rows=count,
        same_rows=sum(a == b for a, b in pairs),
        # Deleting and expanding can make lengths differ: what is missing agrees with nothing.
        tokens=sum(max(len(a), len(b)) for a, b in pairs),
        same_tokens=sum(x == y for a, b in pairs for x, y in zip(a, b, strict=False)),
    )
