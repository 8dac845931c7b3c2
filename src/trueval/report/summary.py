"""The facts of one run, as `--json` prints them: what every report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from trueval.errors import DataError

if TYPE_CHECKING:
    from trueval.report.failures import FailureFacts


class EstimateFacts(TypedDict):
    """A `types.Estimate` as data."""

    metric: str
    value: float
    low: float
    high: float
    level: float
    method: str
    problems: int
    samples_per_problem: int


class OutcomeFacts(TypedDict):
    """Samples by what became of them: all but `rescued` sum to problems x samples_per_problem."""

    passed: int
    wrong: int
    error: int
    timeout: int
    out_of_memory: int
    crashed: int
    no_code: int
    infra: int
    """Kept from a verdict by something of ours or of the server's."""
    missing: int
    """Not drawn or not graded yet."""
    rescued: int
    """Timed out beside other work, got another verdict alone. Counted in that verdict too."""
    problems: int
    samples_per_problem: int


class Line(TypedDict):
    """One way to read the samples: as the model wrote them, or repaired."""

    estimates: list[EstimateFacts]
    """One a k. Empty when samples lack a verdict: then there is no score."""
    outcomes: OutcomeFacts
    edits: dict[str, int]
    """Name of a post-processing step -> samples that it changed. Extract and trim steps on the
    raw line, repair steps on the repaired one."""


class TokenFacts(TypedDict):
    """Tokens over all samples."""

    prompt: int
    completion: int


class TimeFacts(TypedDict):
    """Where the seconds went, by the clock on the wall."""

    generation_s: float
    """From the first request to the last answer."""
    wall_s: float
    """The whole command, controls and start of the model included."""
    tokens_per_s: float
    """Completion tokens over `generation_s`; 0 when nothing was generated."""


class ControlFacts(TypedDict):
    """What the controls found before the run."""

    passed: bool
    canonical: int
    """Canonical answers, in every shape, that were graded ..."""
    canonical_passed: int
    """... and those that passed, as all should."""
    cheats: int
    cheats_passed: int
    """... none of which should."""
    cached: bool
    """Whether an earlier run on this machine, data and pipeline graded them."""
    reasons: list[str]
    """What is wrong, a line each; empty when they passed."""


class FloorFacts(TypedDict):
    """What an answer that takes no model scores: `pass`, nothing, a neighbouring line."""

    answer: str
    """The one that scores highest."""
    value: float


class Summary(TypedDict):
    """One run. `manifest` is `to_json(Manifest)`; a report refuses a summary without it."""

    name: str
    run_dir: str
    """Where samples, manifest and estimates lie; empty when nothing was stored."""
    manifest: dict[str, Any]
    raw: Line
    repaired: Line | None
    """None when the pipeline has no repair step."""
    tokens: TokenFacts
    time: TimeFacts
    controls: ControlFacts | None
    """None when none were run."""
    floor: NotRequired[dict[str, FloorFacts]]
    """Metric -> the null floor, for infilling. Empty for completion, where it is 0."""
    failures: NotRequired[FailureFacts]
    """Why samples of the raw line failed; examples by name only."""
    notes: list[str]
    """What a reader must know beside the score, a sentence each."""


def require_manifest(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest of a summary. Raises `DataError` where there is none: no number without one."""
    manifest = summary.get("manifest")
    if not isinstance(manifest, Mapping) or not manifest.get("config_digest"):
        raise DataError(
            f"no manifest for {summary.get('name') or 'this run'}: its numbers cannot be shown",
            hint="nobody could repeat such a number: run it again with `trueval run`",
        )
    return manifest
