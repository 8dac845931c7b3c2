"""What an approximate gap remembers: no more than the memo has room for, and to no effect."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.diffusion.gapwork import gap_of, garbled  # noqa: E402
from tests.diffusion.trained import holes  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Gap  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402


@pytest.fixture
def gaps() -> list[Gap]:
    settings = Settings(mode="cached", temperature=1.3, top_p=1.0)
    unsure = [garbled(hole, seed=n) for n, hole in enumerate(holes(4, seed=12))]
    return [gap_of(hole, settings, length=8) for hole in unsure]


def test_what_a_gap_heard_is_in_the_memo_and_leaves_it_with_the_gap(
    model: Any, gaps: list[Gap]
) -> None:
    engine, most = Engine(model), 0
    engine.memo.limit = 20_000
    for gap in gaps:
        engine.submit(gap, lambda _: None)
    while engine.step():
        most = max(most, engine.memo.nbytes)
    assert 0 < most <= 20_000
    assert len(engine.memo) == 0 and engine.memo.nbytes == 0


def test_no_more_is_remembered_than_was_heard_since_the_last_full_pass(
    model: Any, gaps: list[Gap]
) -> None:
    engine, most = Engine(model), 0
    engine.submit(gaps[0], lambda _: None)
    while engine.step():
        most = max(most, len(engine.memo))
    assert 1 < most <= gaps[0].settings.refresh


@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_canvas_that_was_forgotten_is_heard_again_to_the_last_bit(
    model: Any, gaps: list[Gap], limit: int
) -> None:
    engine = Engine(model)
    known = engine.fill(gaps)
    engine.memo.limit = limit
    again = engine.fill(gaps)
    assert [(f.tokens, f.logp) for f in known] == [(f.tokens, f.logp) for f in again]
    if limit == 0:
        assert sum(f.memo_hits for f in known) > sum(f.memo_hits for f in again) == 0
