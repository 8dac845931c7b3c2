"""A gap whose text is known is not filled any further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor  # noqa: E402

from trueval.diffusion.adapters import Adapter  # noqa: E402
from trueval.diffusion.canvas import Canvas  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Filling, Gap  # noqa: E402
from trueval.diffusion.packs import Reader  # noqa: E402
from trueval.diffusion.rules import RULES  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402

T = TypeVar("T")
MASK, END, WORDS = 11, 10, 10
STAY = [name for name, rule in RULES.items() if not rule.revisits]


class Chatter:
    """Says anything, by what the row holds, and often that it is done."""

    context = 64
    adapter = Adapter(name="trueval", mask_id=MASK, shift=False, never=(MASK,), end_ids=(END,))

    def read(self, rows: Sequence[Tensor], at: Sequence[Tensor], reader: Reader[T]) -> list[T]:
        said = [self._of(row, places) for row, places in zip(rows, at, strict=True)]
        return [reader(index, iter([logits])) for index, logits in enumerate(said)]

    def _of(self, row: Tensor, at: Tensor) -> Tensor:
        weights = torch.arange(1, len(row) + 1)
        dice = torch.Generator().manual_seed(int((row * weights * weights).sum()))
        logits = torch.randn(len(row), WORDS + 2, generator=dice)
        logits[:, END] += 1.5
        return logits[at]


def fill(settings: Settings, samples: int = 20) -> list[Filling]:
    gap = {"prefix": (1, 2), "suffix": (3,), "length": 12, "problem_id": "p"}
    rows = [Gap(sample_index=n, settings=settings, **gap) for n in range(samples)]  # type: ignore[arg-type]
    engine: Any = Engine(Chatter(), memo_mb=0)  # type: ignore[arg-type]
    found: list[Filling] = engine.fill(rows)
    return found


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("sampler", STAY)
def test_an_ended_gap_stops_and_says_the_same(
    monkeypatch: pytest.MonkeyPatch, sampler: str, block: int | None
) -> None:
    settings = Settings(sampler=sampler, steps=12, block=block)
    stopped = fill(settings)
    monkeypatch.setattr(Canvas, "_is_told", lambda _: False)
    whole = fill(settings)
    assert [one.told for one in stopped] == [one.told for one in whole]
    assert [one.ended for one in stopped] == [one.ended for one in whole]
    assert not any(MASK in one.tokens for one in stopped)
    assert sum(one.forwards for one in stopped) < 0.9 * sum(one.forwards for one in whole)


@pytest.mark.parametrize("sampler", sorted({*RULES} - {*STAY}))
def test_a_rule_that_revisits_stops_only_at_blocks_it_has_left(
    monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    one_block, blocks = (Settings(sampler=sampler, steps=12, block=size) for size in (None, 4))
    found = [fill(one_block), fill(blocks)]
    monkeypatch.setattr(Canvas, "_is_told", lambda _: False)
    assert fill(one_block) == found[0]
    whole = fill(blocks)
    assert [one.told for one in found[1]] == [one.told for one in whole]
    assert sum(one.forwards for one in found[1]) < sum(one.forwards for one in whole)
