"""How one gap is filled: the sampler, its steps and temperatures, and how exact a forward is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from trueval.errors import ConfigError, did_you_mean

Mode = Literal["exact", "cached", "parallel"]

SAMPLERS = (
    "origin",
    "maskgit_plus",
    "topk_margin",
    "entropy",
    "p2",
    "p2-self",
    "remdm",
    "threshold",
    "factor",
)
SCHEDULED = ("maskgit_plus", "topk_margin", "entropy")
"""The samplers that reveal a scheduled count of the surest masks."""

_HURRIED = ("p2", "p2-self", "threshold", "factor")
_REFRESH = 4
_NUCLEUS = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The choices for one gap. One that its sampler or mode does not read is a `ConfigError`."""

    sampler: str = "p2"
    steps: int = 64
    temperature: float = 0.6
    """Of the draws: 0 takes the likeliest token."""
    top_p: float = _NUCLEUS
    top_k: int = 0
    """0 = the whole vocabulary."""
    mode: Mode = "exact"
    """`cached` keeps the context's keys and values; `parallel` also reveals what is sure enough."""
    refresh: int = _REFRESH
    """`cached` and `parallel`: so many forwards run between two full ones, the first of the two
    counted. Canvases that differ count, not steps: one that could change nothing, or whose canvas
    was seen since the full one, makes nothing older."""
    threshold: float | None = None
    """Probability from which a token is revealed ahead of schedule."""
    factor: float | None = None
    """Instead of a threshold: the n surest are revealed while (n + 1)(1 - probability) < factor."""
    remask_temperature: float = 0.0
    """0 reveals the surest masks; above, Gumbel noise on confidence / temperature draws them."""
    remask_cap: float | None = None
    """ReMDM's largest probability to mask a revealed token again in one step."""
    block: int | None = None
    """Positions filled together, left to right block by block; none = as the model completes where
    it has blocks of its own, and a hole at once."""
    published_times: bool = False
    """Times that end at 1e-3 instead of 0, with which two masks can be left to the last step."""
    delete_rest: bool = False
    """A delete token takes out all masks to its right as well (DreamOn's own evaluation)."""

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise ConfigError(
                f"unknown sampler {self.sampler!r}", hint=did_you_mean(self.sampler, SAMPLERS)
            )
        if self.mode not in get_args(Mode):
            raise ConfigError(
                f"unknown mode {self.mode!r}", hint=did_you_mean(self.mode, get_args(Mode))
            )
        self._check_ranges()
        self._check_use()

    @property
    def sure(self) -> float | None:
        """The threshold in use, 0.9 where one is needed and none is given; none where none is."""
        if self.threshold is None and self.factor is None and self._hurries("threshold"):
            return 0.9
        return self.threshold

    @property
    def sure_factor(self) -> float | None:
        """The factor in use, 1 where one is needed and none is given; none where none is."""
        return 1.0 if self.factor is None and self.sampler == "factor" else self.factor

    @property
    def cap(self) -> float:
        """ReMDM's cap in use."""
        return 0.02 if self.remask_cap is None else self.remask_cap

    def _hurries(self, sampler: str) -> bool:
        other = "factor" if sampler == "threshold" else "threshold"
        return self.sampler == sampler or (self.mode == "parallel" and self.sampler != other)

    def _check_ranges(self) -> None:
        # Written so that nan fails as well.
        ranges = {
            "steps": (self.steps >= 1, "at least 1"),
            "temperature": (
                self.temperature == 0 or 1e-6 <= self.temperature <= 1e6,
                "0, or from 1e-6 to 1e6",
            ),
            "top_p": (0 < self.top_p <= 1, "more than 0 and at most 1"),
            "top_k": (self.top_k >= 0, "0 (off) or more"),
            "refresh": (self.refresh >= 1, "at least 1"),
            "threshold": (
                self.threshold is None or 0 < self.threshold <= 1,
                "more than 0 and at most 1",
            ),
            "factor": (self.factor is None or 0 < self.factor < float("inf"), "more than 0"),
            "remask_temperature": (0 <= self.remask_temperature < float("inf"), "0 (off) or more"),
            "remask_cap": (self.remask_cap is None or 0 <= self.remask_cap <= 1, "from 0 to 1"),
            "block": (self.block is None or self.block >= 1, "at least 1"),
        }
        for name, (fits, allowed) in ranges.items():
            if not fits:
                raise ConfigError(
                    f"cannot use {name} = {getattr(self, name)}", hint=f"{name} is {allowed}"
                )

    def _check_use(self) -> None:
        parallel, greedy = self.mode == "parallel", self.temperature == 0
        if parallel and self.sampler not in _HURRIED:
            raise ConfigError(
                f"sampler {self.sampler!r} cannot run in parallel mode",
                hint=f"parallel mode takes {', '.join(_HURRIED)}",
            )
        if self.threshold is not None and self.factor is not None:
            raise ConfigError("threshold and factor are both given", hint="leave one of them out")
        scheduled = self.sampler in SCHEDULED
        unused = {
            "refresh": (
                self.refresh != _REFRESH and self.mode == "exact",
                "cached or parallel mode",
            ),
            "threshold": (
                self.threshold is not None and not self._hurries("threshold"),
                "parallel mode or sampler threshold",
            ),
            "factor": (
                self.factor is not None and not self._hurries("factor"),
                "parallel mode or sampler factor",
            ),
            "remask_temperature": (
                self.remask_temperature > 0 and not scheduled,
                ", ".join(SCHEDULED),
            ),
            "published_times": (
                self.published_times and not scheduled,
                ", ".join(SCHEDULED),
            ),
            "remask_cap": (self.remask_cap is not None and self.sampler != "remdm", "remdm"),
            "top_k": (self.top_k > 0 and greedy, "a temperature above 0"),
            "top_p": (self.top_p not in (_NUCLEUS, 1.0) and greedy, "a temperature above 0"),
        }
        for name, (is_unused, user) in unused.items():
            if is_unused:
                raise ConfigError(
                    f"{name} does nothing with sampler {self.sampler!r} in {self.mode} mode"
                    f" at temperature {self.temperature:g}",
                    hint=f"leave {name} out; it is read by {user}",
                )
