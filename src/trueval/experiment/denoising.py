"""What a run of a diffusion model decides beside any other: its gaps' length, and its labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from trueval.errors import ConfigError
from trueval.experiment.infilling import ONE_LINE
from trueval.types import Completion, GapLength, Hole, Sample, SamplingParams

ORACLE = "oracle length"
"""The assist of runs whose gaps were as long as the true middles."""


def check_denoises(name: str, backend: Any, params: SamplingParams) -> None:
    """Refuse options of denoising for a backend that has none, and those it cannot carry out.

    A backend that denoises has `check_sampling(params)`, which raises `ConfigError`.
    """
    if params.diffusion is None:
        return
    check = getattr(backend, "check_sampling", None)
    if check is None:
        raise ConfigError(
            f"the backend {name!r} denoises nothing: sampler, steps, length and the like (in a "
            "file `sampling.diffusion`) are for a diffusion model",
            hint="--backend diffusion, or leave them out",
        )
    check(params)


def decided(params: SamplingParams, *, gaps: bool, hole: Hole = "") -> SamplingParams:
    """The parameters with the length of gaps decided; `gaps`: the model fills them itself.

    `hole`: what is missing by the task's definition, which a search may know.

    Raises `ConfigError` for a length that nothing has, or that is more than `max_tokens`.
    """
    if params.diffusion is None:
        return params
    length = params.diffusion.length
    if not gaps:
        if length is not None:
            raise ConfigError(
                "--length is the length of a gap, and this run asks for no gaps to be filled",
                hint="--max-tokens says how many masks a completion has",
            )
        return params
    if isinstance(length, int) and length > params.max_tokens:
        raise ConfigError(
            f"gaps of {length} tokens are longer than max_tokens, {params.max_tokens}",
            hint=f"--max-tokens {length}",
        )
    if length not in (None, "search"):
        return params
    hole = hole or params.diffusion.hole
    return replace(params, diffusion=replace(params.diffusion, length="search", hole=hole))


def with_length(params: SamplingParams, length: GapLength) -> SamplingParams:
    """The parameters with gaps of that length, or of that policy."""
    assert params.diffusion is not None
    return replace(params, diffusion=replace(params.diffusion, length=length))


def assists(params: SamplingParams) -> tuple[str, ...]:
    """The privileges by how the text is drawn."""
    diffusion = params.diffusion
    if diffusion is None:
        return ()
    # Of the gaps that it looks at, a search for one line takes those that look like one.
    knows_line = diffusion.length == "search" and diffusion.hole == "line"
    return (ORACLE,) * (diffusion.length == "oracle") + (ONE_LINE,) * knows_line


def labels(params: SamplingParams, samples: Iterable[Sample] = ()) -> tuple[str, ...]:
    """What stands beside a score for how it was drawn: a fixed or found length, and an
    approximate mode, with how many of the rows that were checked `exact` fills alike.
    """
    diffusion = params.diffusion
    if diffusion is None:
        return ()
    found = [f"fixed:{diffusion.length}"] if isinstance(diffusion.length, int) else []
    if diffusion.length == "search":
        found.append("length by search" + _cost(samples := list(samples)))
    if diffusion.mode != "exact":
        checked = [
            sample.completion.denoising["agrees"]
            for sample in samples
            if isinstance(sample.completion, Completion) and "agrees" in sample.completion.denoising
        ]
        how = f"{sum(checked)} of {len(checked)} rows as exact" if checked else "not checked"
        found.append(f"approximate: {diffusion.mode}, {how}")
    return tuple(found)


def _cost(samples: Iterable[Sample]) -> str:
    """What a search took, the filling included, over the filling: in positions computed."""
    drawn = [s.completion for s in samples if isinstance(s.completion, Completion)]
    of = [one for one in drawn if "cost" in one.denoising.get("search", ())]
    filling = sum(_passes(one) for one in of)
    searched = sum(one.denoising["search"]["cost"] for one in of)
    return f", {1 + searched / filling:.1f} times the cost of filling alone" if filling else ""


def _passes(drawn: Completion) -> float:
    """What a gap's filling took, in passes over the whole canvas."""
    facts, gap = drawn.denoising, drawn.completion_tokens
    share = gap / max(1, drawn.prompt_tokens + gap)
    return float(facts["forwards"] + share * facts.get("window_forwards", 0))
