"""What goes into the engine and what comes out: a gap, its filling, and a context that fits."""

from __future__ import annotations

from dataclasses import dataclass, field

from trueval.diffusion.adapters import Adapter
from trueval.diffusion.settings import Settings
from trueval.errors import ConfigError

__all__ = ["Filling", "Gap", "Margins", "cut_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One sample to be drawn: what stands around a gap, and how many tokens go into it."""

    prefix: tuple[int, ...]
    """Token ids before the gap, without the BOS that the engine writes."""
    suffix: tuple[int, ...]
    """Token ids behind the gap; none = completion."""
    length: int
    """Masks at the start."""
    problem_id: str
    sample_index: int = 0
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    trace: bool = False
    """Keep the gap's tokens after every step."""
    resizes: bool = True
    """A model with expand and delete tokens may use them; False holds it to `length`."""
    longest: int | None = None
    """How many tokens expanding may lead to: by default 64, or half of what the model takes."""
    bos: bool = True
    """Begin with BOS, where the model has one; False where `prefix` brings what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A filled gap, with what it took."""

    tokens: tuple[int, ...]
    """All that stands in the gap, end tokens included; nothing behind one where the filling
    stopped there."""
    ended: int | None
    """Index of the first end token; the text ends before it."""
    mode: str
    """`exact`, or the approximation in words: never left out where a result is shown."""
    forwards: int
    """Passes over the whole canvas that this gap asked for first."""
    window_forwards: int
    """Passes over the gap alone, beside kept keys and values: 0 in exact mode."""
    steps_run: int
    """Steps that could change the canvas; the others were skipped."""
    memo_hits: int
    """Steps whose odds were known already, from this gap or from another of the same context."""
    logp: float
    """Sum of the tokens' log-probabilities, each as of when it was last revealed."""
    cut: tuple[int, int] = (0, 0)
    """Tokens of the prefix's head and of the suffix's tail that did not fit into the model."""
    history: tuple[tuple[int, ...], ...] = ()
    """The gap before the first step and after each that ran, when traced."""

    @property
    def kept(self) -> tuple[int, ...]:
        """The tokens before the first end token: what the text is made of."""
        return self.tokens[: self.ended]

    @property
    def told(self) -> tuple[int, ...]:
        """The tokens up to the first end token, and that: all that two fillings can differ in."""
        return self.tokens if self.ended is None else self.tokens[: self.ended + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """The context as the model sees it."""

    head: tuple[int, ...]
    """BOS, where the model has one and the prefix does not bring it, and the prefix."""
    tail: tuple[int, ...]
    """The suffix, and what closes the text where the model was trained on that."""
    cut: tuple[int, int]
    """Tokens left out of the prefix's head and of the suffix's tail."""
    limit: int
    """How many tokens the gap may come to hold."""


def cut_context(gap: Gap, adapter: Adapter, context: int) -> Margins:
    """Cut a context that is too long around the gap, from its far ends.

    Half of the room is the prefix's and half the suffix's, and what one leaves over is the other's.
    It depends on the gap alone. Raises `ConfigError` when the gap itself does not fit, and for a
    suffix where the model sees what stands on the left only.
    """
    if gap.length < 0:
        raise ConfigError(f"a gap of {gap.length} tokens", hint="a length is 0 or more")
    if gap.suffix and not adapter.infills:
        raise ConfigError(
            f"{adapter.name} is a block-diffusion model: it completes, and sees no suffix",
            hint="use it for completion tasks, or another model for infilling",
        )
    if not adapter.infills and gap.settings.block not in (None, adapter.block):
        raise ConfigError(
            f"{adapter.name} fills the blocks of {adapter.block} that it was trained in, and none"
            f" of {gap.settings.block}",
            hint="leave block out",
        )
    if gap.settings.delete_rest and adapter.delete_id is None:
        raise ConfigError(
            f"delete_rest does nothing with {adapter.name}, which has no delete token",
            hint="leave delete_rest out",
        )
    bos = () if adapter.bos_id is None or not gap.bos else (adapter.bos_id,)
    limit = gap.length
    if adapter.expand_id is not None and gap.resizes:
        limit = max(limit, min(64, context // 2) if gap.longest is None else gap.longest)
    close = () if adapter.close_id is None or not gap.suffix else (adapter.close_id,)
    room = context - len(bos) - len(close) - limit
    if room < 0:
        raise ConfigError(
            f"a gap of {limit} tokens does not fit into {context} positions",
            hint="ask for a shorter one",
        )
    half = room // 2
    before = min(len(gap.prefix), max(room - half, room - len(gap.suffix)))
    after = min(len(gap.suffix), room - before)
    lost = len(gap.prefix) - before, len(gap.suffix) - after
    return Margins(
        head=bos + gap.prefix[lost[0] :], tail=gap.suffix[:after] + close, cut=lost, limit=limit
    )
