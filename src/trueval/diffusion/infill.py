"""Filling gaps of text from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from trueval.diffusion.engine import Engine
from trueval.diffusion.gaps import Filling, Gap
from trueval.diffusion.holes import kind_of
from trueval.diffusion.lengths import Found, Search, line_end
from trueval.diffusion.model import Model, load_model
from trueval.diffusion.settings import Settings
from trueval.errors import ConfigError

Length = int | Literal["search"]
"""Of gaps, in tokens."""

__all__ = ["Filled", "Infiller", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was put between a prefix and a suffix."""

    text: str
    """Up to the first end token, if one was drawn."""
    filling: Filling
    """Its tokens, its mode, and what it took."""
    found: Found | None = None
    """How its length was found, where it was looked for."""

    @property
    def ended(self) -> bool:
        """Whether the model ended the gap before its last position."""
        return self.filling.ended is not None


class Infiller:
    """A loaded model that fills gaps of text."""

    def __init__(self, model: Model, *, rows: int = 8, memo_mb: int = 256) -> None:
        self.model = model
        self.engine = Engine(model, rows=rows, memo_mb=memo_mb)
        self.search = Search(model)

    def fill(self, prefix: str, suffix: str = "", *, length: Length = 8, **options: Any) -> Filled:
        """Fill one gap of `length` tokens. `options` are those of `fill_many` but for `samples`."""
        if "samples" in options:
            raise ConfigError("fill gives one sample", hint="fill_many gives several")
        return self.fill_many([(prefix, suffix)], length=length, **options)[0]

    def fill_many(
        self,
        texts: Sequence[tuple[str, str]],
        *,
        length: Length | Sequence[int] = 8,
        hole: str = "",
        samples: int = 1,
        seed: int = 0,
        settings: Settings | None = None,
        trace: bool = False,
    ) -> list[Filled]:
        """Fill the gap of each (prefix, suffix), `samples` times each, in their order.

        `length` is in tokens, for all or for each; with "search" the model finds it, for which it
        is calibrated once a checkpoint, and `hole` may say what is missing: "line", "lines" or
        "span". Only then does a model that expands and deletes change it. Raises `ConfigError` for
        an impossible gap.
        """
        if samples < 1:
            raise ConfigError(f"cannot draw {samples} samples", hint="samples is at least 1")
        lengths = _lengths(length, len(texts))
        found = self._found(texts, hole) if length == "search" else [None] * len(texts)
        gaps = []
        for number, ((prefix, suffix), searched) in enumerate(zip(texts, found, strict=True)):
            gap = Gap(
                prefix=tuple(self.model.encode(prefix)),
                suffix=tuple(self.model.encode(suffix)),
                length=lengths[number] if searched is None else searched.length,
                problem_id=str(number),
                seed=seed,
                settings=settings or Settings(),
                trace=trace,
                resizes=searched is not None,
            )
            gaps += [replace(gap, sample_index=sample) for sample in range(samples)]
        fillings = self.engine.fill(gaps)
        return [
            self._filled(texts[place // samples], filling, found[place // samples])
            for place, filling in enumerate(fillings)
        ]

    def _found(self, texts: Sequence[tuple[str, str]], hole: str) -> list[Found | None]:
        kinds = [hole or kind_of(*text) for text in texts]
        return [self.search.find(*text, kind=kind) for text, kind in zip(texts, kinds, strict=True)]

    def _filled(self, text: tuple[str, str], filling: Filling, found: Found | None) -> Filled:
        said = self.model.decode(filling.kept)
        if found is not None and found.kind == "line":
            said = line_end(said, text[1])
        return Filled(text=said, filling=filling, found=found)


def _lengths(length: int | str | Sequence[int], count: int) -> Sequence[int]:
    """The length of each of so many gaps; 0 where it is to be searched."""
    if isinstance(length, int) or length == "search":
        return [length if isinstance(length, int) else 0] * count
    if isinstance(length, str):
        raise ConfigError(f"no length of a gap: {length!r}", hint='a number, or "search"')
    if len(length) != count:
        raise ConfigError(
            f"{len(length)} lengths for {count} gaps", hint="one number for all, or one for each"
        )
    return length


def load(source: str | Path, *, rows: int = 8, memo_mb: int = 256, **options: Any) -> Infiller:
    """The model in a folder or of a hub id, ready to fill gaps; `options` are `load_model`'s."""
    return Infiller(load_model(source, **options), rows=rows, memo_mb=memo_mb)
