"""Blocks: those that a model was trained in, those that LLaDA completes in, and their noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from tests.diffusion.reference import reference_logits  # noqa: E402
from trueval.diffusion.adapters import Adapter  # noqa: E402
from trueval.diffusion.canvas import Canvas  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Gap  # noqa: E402
from trueval.diffusion.model import load_model  # noqa: E402
from trueval.diffusion.rules import Draws  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402
from trueval.errors import ConfigError  # noqa: E402

GREEDY = Settings(sampler="entropy", temperature=0.0, top_p=1.0)
MASK, DELETE, EXPAND = 9, 7, 8
TRAINED = Adapter(name="sdar", mask_id=MASK, shift=False, block=4, infills=False)
LLADA = Adapter(name="llada", mask_id=MASK, shift=False, block=4)


def gap_of(length: int, settings: Settings = GREEDY, **changes: Any) -> Gap:
    plain = Gap(prefix=(1, 2), suffix=(), length=length, problem_id="p", settings=settings)
    return replace(plain, **changes)


def sizes(gap: Gap, adapter: Adapter) -> list[tuple[int, int]]:
    return [(block.size, block.steps) for block in Canvas.of(gap, adapter, 100).blocks]


def test_trained_blocks_stay_where_they_are_however_few_the_steps() -> None:
    assert sizes(gap_of(9, replace(GREEDY, steps=2)), TRAINED) == [(2, 1), (4, 1), (3, 1)]
    assert sizes(gap_of(9, replace(GREEDY, steps=9)), TRAINED) == [(2, 3), (4, 3), (3, 3)]


def test_another_block_than_the_trained_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="blocks of 4 that it was trained in") as caught:
        sizes(gap_of(9, replace(GREEDY, block=8)), TRAINED)
    assert "leave block out" in caught.value.hint
    assert sizes(gap_of(9, replace(GREEDY, block=4)), TRAINED) == sizes(gap_of(9), TRAINED)


def test_a_model_with_blocks_of_its_own_completes_in_them_and_infills_at_once() -> None:
    steps = replace(GREEDY, steps=9)
    assert sizes(gap_of(9, steps), LLADA) == [(4, 3), (4, 3), (1, 3)]
    assert sizes(gap_of(9, steps, suffix=(3,)), LLADA) == [(9, 9)]
    assert sizes(gap_of(9, replace(steps, block=9)), LLADA) == [(9, 9)]


@pytest.mark.parametrize("mode", ["exact", "cached"])
def test_a_block_model_completes_as_a_dense_loop_with_a_staircase(
    tmp_path: Path, mode: Any
) -> None:
    folder = write_checkpoint(tmp_path, "sdar")
    model = load_model(folder, device="cpu")
    settings = GREEDY if mode == "exact" else replace(GREEDY, mode=mode, refresh=1)
    gap = Gap(prefix=(5, 6, 7, 8, 9, 10), suffix=(), length=7, problem_id="p", settings=settings)
    mask, never = model.adapter.mask_id, list(model.adapter.never)
    row = torch.tensor([*gap.prefix, *[mask] * gap.length])
    for end in (8, 12, 13):
        while mask in (shown := row[:end]).tolist():
            logits = reference_logits(folder, shown, 4).double()
            logits[:, never] = -torch.inf
            odds = logits.softmax(1)
            spread = -torch.special.xlogy(odds, odds).sum(1)
            place = int(spread.masked_fill(shown != mask, torch.inf).argmin())
            row[place] = logits[place].argmax()
            if int(row[place]) in model.adapter.end_ids:
                break
    (filling,) = Engine(model).fill([gap])
    told = filling.told
    assert told == tuple(row[6 : 6 + len(told)].tolist())


def test_no_number_is_used_twice_where_a_block_shrinks() -> None:
    adapter = Adapter(name="trueval", mask_id=MASK, shift=False, delete_id=DELETE, expand_id=EXPAND)
    canvas = Canvas.of(gap_of(8, replace(GREEDY, block=4)), adapter, 100)
    seen: set[float] = set()
    while (step := canvas.next_step()) is not None:
        numbers = {float(number) for number in step.uniform("draw")}
        assert not numbers & seen
        seen |= numbers
        # The first position is deleted, and nothing else revealed but in the last steps.
        blank = torch.zeros(len(step.tokens))
        tokens = torch.full_like(step.tokens, 1)
        tokens[0] = DELETE
        draws = Draws(tokens=tokens, confidence=blank, margin=blank, entropy=blank, own=blank)
        after = canvas.rule.apply(step, draws)
        canvas.tokens[canvas.first : canvas.first + len(after)] = after
        canvas._resize()
        canvas.index += 1
    assert len(canvas.tokens) == 0 and len(seen) == 2 * (4 + 3 + 2 + 1)
