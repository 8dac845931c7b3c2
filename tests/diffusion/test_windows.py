"""What an approximate gap remembers: no more than the memo has room for, and to no effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.diffusion import checkpoints  # noqa: E402
from tests.diffusion.gapwork import gap_of, garbled  # noqa: E402
from tests.diffusion.trained import holes  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Gap  # noqa: E402
from trueval.diffusion.model import load_model  # noqa: E402
from trueval.diffusion.packs import whole  # noqa: E402
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


# --------------------------------------------------------------------------- gaps of another length


@pytest.mark.parametrize("family", ["open-dcoder", "llada", "a2d"])
@pytest.mark.parametrize("new", [1, 5, 6, 11])
def test_a_window_of_another_length_is_right_where_no_context_sees_the_gap(
    family: str, new: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a model of one layer, keys and values are a token's and its place's alone."""
    monkeypatch.setattr(checkpoints, "LAYERS", 1)
    model = load_model(checkpoints.write_checkpoint(tmp_path, family), dtype="float32")
    mask = model.adapter.mask_id
    head, tail = torch.arange(20, 29), torch.arange(40, 53)
    old = 6
    row = torch.cat((head, torch.full((old,), mask), tail))
    over = len(head) + torch.arange(old + 2)
    [(window, _)] = model.windows([row], [over], [over], whole)
    other = torch.cat((head, torch.full((new,), mask), tail))
    moved = model.resized(window, other, at=len(head), old=old, new=new)
    at = len(head) + torch.arange(new + 2)
    [near] = model.rewindow([moved], [other], [at], whole)
    [exact] = model.logits([other], [at])
    assert torch.allclose(near, exact, atol=1e-5)
    # The window that it was made of is as it was.
    [again] = model.rewindow([window], [row], [over], whole)
    assert torch.allclose(again, model.logits([row], [over])[0], atol=1e-5)
