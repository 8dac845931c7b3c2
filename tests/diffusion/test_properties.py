"""What holds for every gap, whatever is in it: on a checkpoint that knows nothing, and so errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from torch import Tensor  # noqa: E402

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from trueval.diffusion.adapters import Adapter  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Filling, Gap  # noqa: E402
from trueval.diffusion.model import Model, load_model  # noqa: E402
from trueval.diffusion.settings import SAMPLERS, Mode, Settings  # noqa: E402

FAMILIES = ("open-dcoder", "dream", "dreamon", "llada", "a2d", "trueval")


class Watched:
    """A model that notes the rows it was asked about."""

    def __init__(self, model: Model) -> None:
        self.model, self.seen = model, list[Tensor]()
        self.adapter, self.context = model.adapter, model.context

    def read(self, rows: Sequence[Tensor], *rest: Any) -> Any:
        self.seen += [row.clone() for row in rows]
        return self.model.read(rows, *rest)

    def windows(self, rows: Sequence[Tensor], *rest: Any) -> Any:
        self.seen += [row.clone() for row in rows]
        return self.model.windows(rows, *rest)

    def rewindow(self, windows: Any, rows: Sequence[Tensor], *rest: Any) -> Any:
        self.seen += [row.clone() for row in rows]
        return self.model.rewindow(windows, rows, *rest)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder: Path = tmp_path_factory.mktemp("families")
    return {
        name: load_model(write_checkpoint(folder / name, name), device="cpu") for name in FAMILIES
    }


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    modes: tuple[Mode, ...] = ("exact", "exact", "cached", "parallel")
    mode = draw(st.sampled_from(modes))
    names = ("p2", "p2-self", "threshold", "factor") if mode == "parallel" else SAMPLERS
    return Settings(
        sampler=draw(st.sampled_from(names)),
        steps=draw(st.integers(1, 12)),
        # Hot enough that an id which may not be drawn would be, soon.
        temperature=draw(st.sampled_from((0.0, 1.0, 30.0))),
        top_p=1.0,
        mode=mode,
        block=draw(st.none() | st.integers(1, 5)),
    )


TEXTS = st.lists(st.integers(0, 255), max_size=24).map(tuple)


@hypothesis_settings(max_examples=120, deadline=None, derandomize=True)
@given(
    family=st.sampled_from(FAMILIES),
    prefix=TEXTS,
    suffix=TEXTS,
    length=st.integers(0, 9),
    settings=all_settings(),
    sample=st.integers(0, 9),
)
def test_every_gap(
    models: dict[str, Model],
    family: str,
    prefix: tuple[int, ...],
    suffix: tuple[int, ...],
    length: int,
    settings: Settings,
    sample: int,
) -> None:
    watched = Watched(models[family])
    gap = Gap(
        prefix=prefix,
        suffix=suffix,
        length=length,
        problem_id="p",
        sample_index=sample,
        settings=settings,
        longest=12,
        trace=True,
    )
    engine: Any = Engine(watched)  # type: ignore[arg-type]
    (filling,) = engine.fill([gap])
    adapter = watched.adapter
    check_tokens(filling.tokens, adapter)
    check_context(watched.seen, gap, adapter)
    assert filling.steps_run <= settings.steps
    assert filling.forwards + filling.window_forwards == len(watched.seen) <= settings.steps
    ends = [n for n, token in enumerate(filling.tokens) if token in adapter.end_ids]
    assert filling.ended == (ends[0] if ends else None)
    if adapter.expand_id is None:
        assert len(filling.tokens) == length or stopped(filling)
    else:
        assert len(filling.tokens) <= 12
    for before in filling.history:
        assert len(before) <= 12


def stopped(filling: Filling) -> bool:
    """Whether nothing was filled behind an end token."""
    return filling.ended == len(filling.tokens) - 1


def check_tokens(tokens: Sequence[int], adapter: Adapter) -> None:
    """No mask is left, and nothing was drawn that may not be."""
    assert not {adapter.mask_id, adapter.expand_id, adapter.delete_id, *adapter.never} & {*tokens}


def check_context(seen: Sequence[Tensor], gap: Gap, adapter: Adapter) -> None:
    """Around the gap, every row that the model saw is as it was given."""
    head = [*([] if adapter.bos_id is None else [adapter.bos_id]), *gap.prefix]
    closed = adapter.close_id is not None and bool(gap.suffix)
    tail = [*gap.suffix, *([adapter.close_id] if closed else [])]
    for row in seen:
        assert row[: len(head)].tolist() == head
        assert row[len(row) - len(tail) :].tolist() == tail


@pytest.mark.parametrize("family", ["dreamon", "trueval"])
def test_a_gap_held_to_its_length_keeps_it(models: dict[str, Model], family: str) -> None:
    settings = Settings(sampler="entropy", temperature=30.0, top_p=1.0)
    gap = Gap(prefix=(1, 2), suffix=(3,), length=8, problem_id="p", settings=settings)
    held = [replace(gap, resizes=False, sample_index=n) for n in range(20)]
    fillings = Engine(models[family]).fill(held)
    assert {len(filling.tokens) for filling in fillings if not stopped(filling)} == {8}
    for filling in fillings:
        check_tokens(filling.tokens, models[family].adapter)


@pytest.mark.parametrize("family", ["bd3lm", "sdar"])
def test_a_block_model_completes_and_sees_no_later_block(tmp_path: Path, family: str) -> None:
    watched = Watched(load_model(write_checkpoint(tmp_path, family), device="cpu"))
    block = watched.adapter.block
    assert block is not None
    gap = Gap(prefix=(1, 2, 3), suffix=(), length=2 * block, problem_id="p")
    engine: Any = Engine(watched)  # type: ignore[arg-type]
    rows = [replace(gap, sample_index=n, settings=Settings(steps=6)) for n in range(4)]
    filling = next(one for one in engine.fill(rows) if len(one.tokens) == gap.length)
    check_tokens(filling.tokens, watched.adapter)
    # The first block ends where one ends in training, counted from the row's start.
    shown = sorted({len(row) for row in watched.seen})
    assert shown == [block, 2 * block, 3 + 2 * block]
