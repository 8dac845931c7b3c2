"""The stop cut: the one rule that backends and controls share."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The text before the first of the stop sequences; all of it when none occurs."""
    ends = [end for s in stop if s and (end := text.find(s)) >= 0]
    return text[: min(ends)] if ends else text
