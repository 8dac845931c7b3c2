"""Expand and delete tokens, drawn by a model that knows how long the gap should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor  # noqa: E402

from trueval.diffusion.adapters import Adapter  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Filling, Gap, cut_context  # noqa: E402
from trueval.diffusion.packs import Reader  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402
from trueval.errors import ConfigError  # noqa: E402

T = TypeVar("T")
MASK, EXPAND, DELETE = 9, 8, 7
WANTED = (0, 1, 2, 3, 4, 5, 0, 1)
PREFIX, SUFFIX = (6, 6), (6,)
GREEDY = Settings(sampler="entropy", temperature=0.0, top_p=1.0)


class Knowing:
    """Wants `WANTED` in the gap: its first mask to expand while it is short, its last to go."""

    context = 40
    adapter = Adapter(
        name="trueval", mask_id=MASK, shift=False, never=(MASK,), expand_id=EXPAND, delete_id=DELETE
    )

    def read(self, rows: Sequence[Tensor], at: Sequence[Tensor], reader: Reader[T]) -> list[T]:
        said = [self._of(row, places) for row, places in zip(rows, at, strict=True)]
        return [reader(index, iter([logits])) for index, logits in enumerate(said)]

    def _of(self, row: Tensor, at: Tensor) -> Tensor:
        gap = row[len(PREFIX) : len(row) - len(SUFFIX)].tolist()
        masks = [n for n, token in enumerate(gap) if token == MASK]
        logits = torch.zeros(len(at), 10)
        for line, place in zip(logits, (at - len(PREFIX)).tolist(), strict=True):
            line[WANTED[min(place, len(WANTED) - 1)]] = 5.0
            if len(gap) < len(WANTED) and place == masks[0]:
                line[EXPAND] = 20.0
            if len(gap) > len(WANTED) and place == masks[-1]:
                line[DELETE] = 20.0
        return logits


def fill(length: int, settings: Settings = GREEDY, **changes: Any) -> Filling:
    gap = Gap(prefix=PREFIX, suffix=SUFFIX, length=length, problem_id="p", settings=settings)
    engine: Any = Engine(Knowing())  # type: ignore[arg-type]
    filling: Filling = engine.fill([replace(gap, trace=True, **changes)])[0]
    assert filling.steps_run <= settings.steps
    return filling


@pytest.mark.parametrize("sampler", ["entropy", "maskgit_plus", "topk_margin"])
@pytest.mark.parametrize("length", [1, 4, 7, 8, 9, 16])
def test_a_gap_grows_and_shrinks_to_the_length_it_wants(length: int, sampler: str) -> None:
    settings = replace(GREEDY, sampler=sampler, steps=64)
    assert fill(length, settings).tokens == WANTED


def test_an_expand_token_becomes_two_masks_and_a_delete_token_none() -> None:
    assert fill(6).history[:3] == ((MASK,) * 6, (MASK,) * 7, (MASK,) * 8)
    assert fill(10).history[:3] == ((MASK,) * 10, (MASK,) * 9, (MASK,) * 8)


@pytest.mark.parametrize("sampler", ["entropy", "origin", "p2", "remdm", "threshold"])
@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_growth_is_bounded_and_no_mask_is_left(sampler: str, steps: int) -> None:
    filling = fill(3, replace(GREEDY, sampler=sampler, steps=steps), longest=5)
    assert len(filling.tokens) <= 5 and not {MASK, EXPAND, DELETE} & {*filling.tokens}
    assert max(map(len, filling.history)) <= 5


def test_a_gap_may_be_deleted_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.WANTED", (0,))
    assert fill(3).tokens == (0,)

    def give_up(self: Knowing, row: Tensor, at: Tensor) -> Tensor:
        logits = torch.zeros(len(at), 10)
        logits[:, DELETE] = 20.0
        return logits

    monkeypatch.setattr(Knowing, "_of", give_up)
    assert fill(3).tokens == ()
    assert fill(3, replace(GREEDY, block=2)).tokens == ()


def test_a_gap_with_blocks_grows_in_the_block_that_expands() -> None:
    filling = fill(4, replace(GREEDY, block=2, steps=32), longest=8)
    assert filling.tokens == WANTED


def test_logp_is_that_of_the_tokens_that_stayed() -> None:
    expected = float(torch.tensor([5.0, *[0.0] * 8]).log_softmax(0)[0]) * len(WANTED)
    # The mask is banned, and while the gap may still grow nothing else is.
    assert fill(8).logp == pytest.approx(expected, abs=1e-4)


# --------------------------------------------------------------------------- as published


class Undecided(Knowing):
    """Says anything, by what the row holds: words, that a mask goes, or that it becomes two."""

    def _of(self, row: Tensor, at: Tensor) -> Tensor:
        weights = torch.arange(1, len(row) + 1)
        dice = torch.Generator().manual_seed(int((row * weights * weights).sum()))
        logits = 3 * torch.randn(len(row), 10, generator=dice)
        logits[:, DELETE] += 0.5
        return logits[at]


def published(word: int, length: int, longest: int, *, delete_rest: bool) -> tuple[int, ...] | None:
    """DreamOn's loop, greedy by entropy: one mask a step, then deleting, then expanding.

    None for a gap that has not ended after 60 steps: some go back and forth for ever.
    """
    model, gap = Undecided(), [MASK] * length
    for _ in range(60):
        if MASK not in gap:
            return tuple(gap)
        row = torch.tensor([word, word, *gap, *SUFFIX])
        masks = [n for n, token in enumerate(gap) if token == MASK]
        logits = model._of(row, torch.tensor(masks) + len(PREFIX))
        logits[:, MASK] = -torch.inf
        if len(gap) == longest:
            logits[:, EXPAND] = -torch.inf
        odds = logits.softmax(1)
        surest = int((odds * odds.clamp(min=1e-30).log()).sum(1).argmax())
        place, token = masks[surest], int(logits[surest].argmax())
        gap[place] = token
        if token == DELETE:
            gone = {place, *(n for n in masks if n > place and delete_rest)}
            gap = [token for n, token in enumerate(gap) if n not in gone]
        elif token == EXPAND:
            gap[place : place + 1] = [MASK, MASK]
    return None


@pytest.mark.parametrize("delete_rest", [False, True])
def test_gaps_grow_and_shrink_as_published(delete_rest: bool) -> None:
    settings = replace(GREEDY, steps=61, delete_rest=delete_rest)
    engine: Any = Engine(Undecided())  # type: ignore[arg-type]
    cases = [(word, length) for word in range(6) for length in range(1, 13)]
    asked = [
        Gap(
            prefix=(word, word),
            suffix=SUFFIX,
            length=length,
            problem_id="p",
            settings=settings,
            longest=16,
        )
        for word, length in cases
    ]
    expected = [published(*case, 16, delete_rest=delete_rest) for case in cases]
    found = [one.tokens for one in engine.fill(asked)]
    ended = [n for n, tokens in enumerate(expected) if tokens is not None]
    assert [found[n] for n in ended] == [expected[n] for n in ended]
    grown = [len(found[n]) - cases[n][1] for n in ended]
    assert len(ended) > 30 and max(grown) > 0 > min(grown)


def test_deleting_the_rest_takes_a_model_that_deletes() -> None:
    class Plain(Knowing):
        adapter = replace(Knowing.adapter, expand_id=None, delete_id=None)

    gap = Gap(
        prefix=PREFIX,
        suffix=SUFFIX,
        length=3,
        problem_id="p",
        settings=replace(GREEDY, delete_rest=True),
    )
    with pytest.raises(ConfigError, match="delete_rest"):
        Engine(Plain()).submit(gap, print)  # type: ignore[arg-type]


def test_what_closes_a_text_stands_behind_its_suffix() -> None:
    adapter = replace(Knowing.adapter, close_id=DELETE)
    gap = Gap(prefix=PREFIX, suffix=SUFFIX, length=3, problem_id="p", resizes=False)
    assert cut_context(gap, adapter, 40).tail == (*SUFFIX, DELETE)
    assert cut_context(replace(gap, suffix=()), adapter, 40).tail == ()
    tight = cut_context(gap, adapter, 6)
    assert len(tight.head) + len(tight.tail) + gap.length == 6
    assert tight.tail[-1] == DELETE
