"""What a gap is filled with depends on the gap alone."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from tests.diffusion.gapwork import DEVICES, gap_of, garbled  # noqa: E402
from tests.diffusion.trained import holes  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Filling, Gap  # noqa: E402
from trueval.diffusion.model import load_model  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402

KINDS = (
    Settings(steps=16, temperature=1.0),
    Settings(sampler="p2-self", steps=16, temperature=1.0),
    Settings(sampler="entropy", steps=16),
    Settings(sampler="origin", steps=16, temperature=1.0),
    Settings(sampler="remdm", steps=16, temperature=1.0, remask_cap=0.2),
    Settings(sampler="maskgit_plus", steps=16, remask_temperature=0.5, block=4),
    Settings(steps=16, mode="cached", temperature=1.0),
    Settings(steps=16, mode="parallel", temperature=1.0),
)


@pytest.fixture(scope="module")
def gaps() -> list[Gap]:
    """Eight problems, garbled ones among them, with three samples each in turns."""
    problems = holes(4, seed=11)
    problems += [garbled(hole, seed=n) for n, hole in enumerate(holes(4, seed=12))]
    return [
        gap_of(hole, KINDS[n % len(KINDS)], sample=sample)
        for sample in range(3)
        for n, hole in enumerate(problems * 2)
    ]


@pytest.fixture(scope="module")
def alone(model: Any, gaps: list[Gap]) -> list[Filling]:
    """Each gap by an engine of its own, which remembers nothing."""
    return [Engine(model, rows=1, memo_mb=0).fill([gap])[0] for gap in gaps]


def tokens(fillings: list[Filling]) -> list[tuple[int, ...]]:
    return [filling.tokens for filling in fillings]


@pytest.mark.parametrize("memo_mb", [0, 256])
@pytest.mark.parametrize("rows", [1, 8, 32])
def test_batches_and_memo_change_nothing(
    model: Any, gaps: list[Gap], alone: list[Filling], rows: int, memo_mb: int
) -> None:
    filled = Engine(model, rows=rows, memo_mb=memo_mb).fill(gaps)
    assert tokens(filled) == tokens(alone)
    assert [filling.logp for filling in filled] == [filling.logp for filling in alone]


@pytest.mark.parametrize("device", DEVICES)
def test_batches_and_memo_change_nothing_in_bfloat16(
    trained_folder: Any, gaps: list[Gap], device: str
) -> None:
    rough = load_model(trained_folder, device=device, dtype="bfloat16")
    some = gaps[:: 1 if device == "cuda" else 2]
    single = [Engine(rough, rows=1, memo_mb=0).fill([gap])[0] for gap in some]
    for rows, memo_mb in ((32, 256), (5, 0)):
        filled = Engine(rough, rows=rows, memo_mb=memo_mb).fill(some[::-1])[::-1]
        assert tokens(filled) == tokens(single)
        assert [filling.logp for filling in filled] == [filling.logp for filling in single]


@pytest.mark.parametrize("seed", range(3))
def test_order_changes_nothing(
    model: Any, gaps: list[Gap], alone: list[Filling], seed: int
) -> None:
    order = list(range(len(gaps)))
    random.Random(seed).shuffle(order)
    filled = Engine(model, rows=5).fill(gaps[index] for index in order)
    assert tokens(filled) == [alone[index].tokens for index in order]


def test_a_memo_too_small_for_one_canvas_changes_nothing(
    model: Any, gaps: list[Gap], alone: list[Filling]
) -> None:
    engine = Engine(model)
    engine.memo.limit = 30_000  # a few canvases, so that they push each other out
    assert tokens(engine.fill(gaps)) == tokens(alone)
    assert engine.memo.nbytes == 0


def test_gaps_that_come_while_others_are_filled_change_nothing(
    model: Any, gaps: list[Gap], alone: list[Filling]
) -> None:
    engine = Engine(model, rows=4)
    found: dict[int, Filling] = {}
    for index, gap in enumerate(gaps):
        engine.submit(gap, partial(found.__setitem__, index))
        if index % 3 == 0:
            engine.step()
    while engine.step():
        pass
    assert tokens([found[index] for index in range(len(gaps))]) == tokens(alone)


def test_packs_of_rows_change_nothing_among_themselves(
    trained_folder: Any, gaps: list[Gap]
) -> None:
    packed = load_model(trained_folder, device="cpu", pack_rows=8)
    exact = [gap for gap in gaps if gap.settings.mode == "exact"][::2]
    single = [Engine(packed, rows=1, memo_mb=0).fill([gap])[0] for gap in exact]
    assert tokens(Engine(packed, rows=32).fill(exact)) == tokens(single)


def test_the_samples_of_a_problem_share_forwards_and_differ_all_the_same(model: Any) -> None:
    hole = garbled(holes(1, seed=14)[0], seed=2)
    settings = Settings(temperature=1.3, top_p=1.0)
    # Of another length than the text asks for, so that there is no one right filling.
    length = len(hole.middle) + 4
    samples = [gap_of(hole, settings, sample=n, length=length) for n in range(6)]
    together = Engine(model).fill(samples)
    apart = [Engine(model).fill([gap])[0] for gap in samples]
    assert tokens(together) == tokens(apart) and len(set(tokens(together))) > 1
    assert sum(f.forwards for f in together) < sum(f.forwards for f in apart)
    for one in (*together, *apart):
        assert one.forwards + one.memo_hits == one.steps_run
