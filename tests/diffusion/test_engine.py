"""The engine on a trained checkpoint: what it fills, what it skips, and what it reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import trueval.diffusion as diffusion  # noqa: E402
from tests.diffusion.gapwork import gap_of, garbled, ids  # noqa: E402
from tests.diffusion.trained import ALPHABET, END, MASK, holes  # noqa: E402
from trueval.diffusion.agreement import exact_twin, measure_agreement  # noqa: E402
from trueval.diffusion.canvas import Block, plan_blocks  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Filling, Gap, cut_context  # noqa: E402
from trueval.diffusion.settings import SCHEDULED, Settings  # noqa: E402
from trueval.errors import BackendError, ConfigError, TruevalError  # noqa: E402


def text(tokens: tuple[int, ...]) -> str:
    return "".join(ALPHABET[token] for token in tokens)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(sampler="entropy", temperature=0.0, top_p=1.0),
        Settings(sampler="maskgit_plus", temperature=0.0, top_p=1.0, steps=16),
        Settings(),
        Settings(sampler="p2-self", steps=16),
        Settings(mode="cached", steps=16),
    ],
    ids=lambda s: f"{s.sampler}-{s.mode}-{s.temperature}",
)
def test_gaps_that_were_not_trained_on_are_filled_right(model: Any, settings: Settings) -> None:
    unseen = holes(60, seed=77)
    fillings = Engine(model).fill(gap_of(hole, settings) for hole in unseen)
    right = sum(text(f.tokens) == h.middle for f, h in zip(fillings, unseen, strict=True))
    assert right > 0.95 * len(unseen)


def test_five_lines_fill_a_gap(trained_folder: Any) -> None:
    infiller = diffusion.load(trained_folder, device="cpu")
    filled = infiller.fill("@abc", "gh/1;\n", length=3)
    assert (filled.text, filled.ended, filled.filling.mode) == ("def", False, "exact")
    twice = infiller.fill_many([("@abc", "gh/1;\n"), ("@a", "g/2;\n")], length=[3, 2], samples=2)
    assert [one.text for one in twice] == ["def", "def", "ce", "ce"]


def test_what_follows_an_end_token_is_no_text_and_is_reported(trained_folder: Any) -> None:
    infiller = diffusion.load(trained_folder, device="cpu")
    prefix = "@acegi/2;\n@bcdefg/1;\n@dgjm/3;\n@aceg/2;\n"
    filled = infiller.fill(prefix, length=6)
    assert filled.ended and filled.filling.tokens[filled.filling.ended or 0] == END
    assert len(filled.text) == filled.filling.ended
    assert len(filled.filling.tokens) == 6 and MASK not in filled.filling.tokens


# --------------------------------------------------------------------------- work not done


@pytest.mark.parametrize("sampler", SCHEDULED)
def test_steps_that_cannot_change_a_gap_run_no_forward(model: Any, sampler: str) -> None:
    hole = next(hole for hole in holes(50, seed=3) if len(hole.middle) == 8)
    (filling,) = Engine(model, memo_mb=0).fill([gap_of(hole, Settings(sampler=sampler))])
    assert (filling.forwards, filling.steps_run, filling.memo_hits) == (8, 8, 0)


def test_a_canvas_is_asked_about_once(model: Any) -> None:
    hole = next(hole for hole in holes(50, seed=3) if len(hole.middle) == 8)
    engine = Engine(model)
    (filling,) = engine.fill([gap_of(hole, Settings())])
    assert filling.forwards + filling.memo_hits == filling.steps_run
    assert filling.forwards < filling.steps_run / 2
    assert len(engine.memo) == 0 and engine.memo.nbytes == 0


def test_the_memo_is_kept_while_a_sample_of_its_context_is_left(model: Any) -> None:
    first, second = holes(2, seed=9)
    settings = Settings(sampler="entropy", temperature=0.0, top_p=1.0)
    engine = Engine(model, rows=1)
    found: list[Filling] = []
    for hole, sample in ((first, 0), (second, 0), (first, 1)):
        engine.submit(gap_of(hole, settings, sample=sample), found.append)
    held = []
    while engine.step():
        held.append(len(engine.memo))
    assert max(held) >= len(first.middle) and len(engine.memo) == 0
    assert found[2].forwards == 0 and found[2].tokens == found[0].tokens


def test_an_abandoned_engine_fills_other_gaps_as_a_new_one_does(model: Any) -> None:
    one, other = (gap_of(hole, Settings(steps=8)) for hole in holes(2, seed=9))
    engine = Engine(model, rows=2)
    found: list[Filling] = []
    for sample in range(4):
        engine.submit(replace(one, sample_index=sample), found.append)
    engine.step()
    assert [canvas.steps_run for canvas in engine.canvases()] == [1, 1]
    engine.abandon()
    assert not engine.step() and not found and len(engine.memo) == 0
    assert engine.fill([other]) == Engine(model).fill([other])


def test_a_gap_submitted_when_its_like_is_done_finds_what_is_known(model: Any) -> None:
    gap = gap_of(holes(1, seed=9)[0], Settings(sampler="entropy", temperature=0.0, top_p=1.0))
    engine = Engine(model)
    found: list[Filling] = []
    engine.submit(gap, lambda _: engine.submit(replace(gap, sample_index=1), found.append))
    while engine.step():
        pass
    assert found[0].forwards == 0 and found[0].memo_hits == found[0].steps_run > 0


def test_rows_that_have_the_same_canvas_share_a_forward(model: Any) -> None:
    hole = holes(1, seed=9)[0]
    settings = Settings(sampler="entropy", temperature=0.0, top_p=1.0)
    gaps = [gap_of(hole, settings, sample=n) for n in range(8)]
    fillings = Engine(model, memo_mb=0).fill(gaps)
    assert sum(f.forwards for f in fillings) == len(hole.middle)


def test_the_trace_shows_every_step_that_ran(model: Any) -> None:
    hole = garbled(holes(1, seed=8)[0], seed=1)
    (filling,) = Engine(model).fill([gap_of(hole, Settings(), length=6, trace=True)])
    assert filling.history[0] == (MASK,) * 6 and filling.history[-1] == filling.tokens
    assert len(filling.history) == filling.steps_run + 1


# --------------------------------------------------------------------------- approximations


def test_approximations_are_named_and_measured(model: Any) -> None:
    many = [*holes(12, seed=21), *(garbled(h, seed=n) for n, h in enumerate(holes(12, seed=22)))]
    for mode in ("cached", "parallel"):
        settings = Settings(mode=mode, steps=16, refresh=2)
        gaps = [gap_of(hole, settings) for hole in many]
        found = measure_agreement(Engine(model), gaps, sample=20)
        assert found.rows == 20 and found.mode == f"{mode}, refreshed every 2"
        assert found.same_rows >= 12 and found.same_tokens >= 0.7 * found.tokens
        assert str(found).startswith(f"{mode}, refreshed every 2: {found.same_rows}/20 rows")
        (filling,) = Engine(model).fill(gaps[:1])
        assert filling.mode == found.mode


def test_a_cache_refreshed_at_every_forward_is_exact(model: Any) -> None:
    many = [garbled(hole, seed=n) for n, hole in enumerate(holes(8, seed=23))]
    gaps = [gap_of(hole, Settings(mode="cached", steps=16, refresh=1)) for hole in many]
    found = measure_agreement(Engine(model), gaps)
    assert found.same_rows == found.rows == 8


def test_one_pass_in_so_many_is_over_the_whole_canvas(model: Any) -> None:
    hole = next(hole for hole in holes(50, seed=3) if len(hole.middle) == 8)
    settings = Settings(sampler="entropy", mode="cached", refresh=3)
    (filling,) = Engine(model).fill([gap_of(hole, settings)])
    assert (filling.forwards, filling.window_forwards) == (3, 5)


def test_parallel_decoding_takes_few_passes(model: Any) -> None:
    many = holes(20, seed=24)
    fillings = Engine(model).fill(gap_of(hole, Settings(mode="parallel")) for hole in many)
    passes = sum(f.forwards + f.window_forwards for f in fillings)
    assert passes < 0.5 * sum(len(hole.middle) for hole in many)


def test_agreement_needs_an_approximation_and_a_gap(model: Any) -> None:
    gap = gap_of(holes(1, seed=1)[0], Settings())
    with pytest.raises(ValueError, match="sample of 0"):
        measure_agreement(Engine(model), [replace(gap, settings=Settings(mode="cached"))], sample=0)
    with pytest.raises(ConfigError, match="one approximate mode"):
        measure_agreement(Engine(model), [gap])


@pytest.mark.parametrize(
    ("settings", "exact"),
    [
        (Settings(mode="cached", refresh=2), Settings()),
        (Settings(mode="parallel", threshold=0.8), Settings()),
        (
            Settings(sampler="factor", mode="parallel", factor=2.0),
            Settings(sampler="factor", factor=2.0),
        ),
    ],
)
def test_the_exact_twin_differs_in_the_mode_alone(settings: Settings, exact: Settings) -> None:
    assert exact_twin(settings) == exact


# --------------------------------------------------------------------------- blocks and contexts


@pytest.mark.parametrize(
    ("length", "steps", "size", "first", "blocks"),
    [
        (0, 8, 4, None, []),
        (8, 8, None, None, [(8, 8)]),
        (8, 8, 4, None, [(4, 4), (4, 4)]),
        (9, 7, 4, None, [(4, 2), (4, 2), (1, 3)]),
        (9, 9, 4, 2, [(2, 3), (4, 3), (3, 3)]),
        (9, 2, 1, None, [(5, 1), (4, 1)]),  # fewer steps than blocks: larger blocks
        (3, 64, 32, 5, [(3, 64)]),
        (9, 2, 4, 3, [(3, 1), (4, 1), (2, 1)]),  # where they lay in training: more steps
    ],
)
def test_blocks_cover_the_gap_and_the_steps(
    length: int, steps: int, size: int | None, first: int | None, blocks: list[tuple[int, int]]
) -> None:
    assert plan_blocks(length, steps, size, first=first) == [Block(*block) for block in blocks]


def test_blocks_are_filled_from_left_to_right(model: Any) -> None:
    hole = garbled(holes(1, seed=31)[0], seed=3)
    settings = Settings(sampler="entropy", block=3, steps=12)
    (filling,) = Engine(model).fill([gap_of(hole, settings, length=9, trace=True)])
    for tokens in filling.history:
        masks = [n for n, token in enumerate(tokens) if token == MASK]
        assert masks == [n for n in range(9) if n in masks or n // 3 > min(masks, default=9) // 3]
    assert MASK not in filling.tokens


@pytest.mark.parametrize(
    ("before", "after", "length", "left"),
    [
        (10, 10, 4, (10, 10)),
        (100, 100, 28, (50, 50)),
        (100, 5, 28, (95, 5)),
        (5, 200, 28, (5, 95)),
        (100, 0, 28, (100, 0)),
        (200, 200, 128, (0, 0)),
        (200, 200, 127, (1, 0)),
    ],
)
def test_a_long_context_is_cut_from_its_far_ends(
    model: Any, before: int, after: int, length: int, left: tuple[int, int]
) -> None:
    prefix, suffix = tuple(range(1000, 1000 + before)), tuple(range(2000, 2000 + after))
    gap = Gap(prefix=prefix, suffix=suffix, length=length, problem_id="p")
    found = cut_context(gap, model.adapter, 128)
    assert found.head == prefix[before - left[0] :] and found.tail == suffix[: left[1]]
    assert found.cut == (before - left[0], after - left[1])
    begun = replace(model.adapter, bos_id=1)
    if length < 128:
        assert cut_context(gap, begun, 128).head[0] == 1


def test_a_cut_context_is_reported_and_what_is_left_is_filled_as_ever(model: Any) -> None:
    long = ids("@abcd/1;\n" * 30 + "@ace")
    gap = Gap(prefix=long, suffix=ids("k/2;\n"), length=2, problem_id="p")
    cut, fits = Engine(model).fill([gap, replace(gap, prefix=long[-57:])])
    assert cut.cut == (len(long) - 57, 0) and fits.cut == (0, 0)
    assert cut.tokens == fits.tokens


def test_what_cannot_be_filled_is_refused(model: Any) -> None:
    gap = gap_of(holes(1, seed=1)[0], Settings())
    with pytest.raises(ConfigError, match="does not fit"):
        Engine(model).submit(replace(gap, length=129), print)
    with pytest.raises(ConfigError, match="0 or more"):
        Engine(model).submit(replace(gap, length=-1), print)
    completes = replace(model.adapter, infills=False, block=4)
    with pytest.raises(ConfigError, match="sees no suffix"):
        cut_context(gap, completes, 128)


# --------------------------------------------------------------------------- rows that fail


class Damaged:
    """A model whose logits are not finite for rows that begin with one token."""

    def __init__(self, model: Any, token: int) -> None:
        self.model, self.token = model, token
        self.adapter, self.context = model.adapter, model.context

    def read(self, rows: Any, at: Any, reader: Any) -> Any:
        return self.model.read(rows, at, self._spoilt(rows, reader))

    def windows(self, rows: Any, at: Any, over: Any, reader: Any) -> Any:
        return self.model.windows(rows, at, over, self._spoilt(rows, reader))

    def rewindow(self, windows: Any, rows: Any, at: Any, reader: Any) -> Any:
        return self.model.rewindow(windows, rows, at, self._spoilt(rows, reader))

    def _spoilt(self, rows: Any, reader: Any) -> Any:
        def read(index: int, parts: Any) -> Any:
            bad = int(rows[index][0]) == self.token
            return reader(index, (part.fill_(torch.nan) if bad else part for part in parts))

        return read


@pytest.mark.parametrize("mode", ["exact", "cached"])
def test_a_row_that_fails_leaves_and_the_others_are_filled(model: Any, mode: Any) -> None:
    settings = Settings(steps=8, mode=mode)
    good = [gap_of(hole, settings) for hole in holes(3, seed=9)]
    bad = replace(good[1], prefix=ids("m") + good[1].prefix)
    engine: Any = Engine(Damaged(model, ids("m")[0]))  # type: ignore[arg-type]
    found: list[Filling] = []
    errors: list[TruevalError] = []
    for gap in (good[0], bad, good[1], replace(bad, sample_index=1), good[2]):
        engine.submit(gap, found.append, errors.append)
    while engine.step():
        pass
    by_name = {filling.tokens for filling in found}
    assert by_name == {filling.tokens for filling in Engine(model).fill(good)}
    assert len(found) == 3 and len(errors) == 2
    assert all("not finite" in str(error) for error in errors)
    assert len(engine.memo) == 0 and engine.canvases() == []


def test_a_row_that_fails_with_nobody_to_tell_is_an_error(model: Any) -> None:
    gap = gap_of(holes(1, seed=9)[0], Settings(steps=8))
    engine: Any = Engine(Damaged(model, gap.prefix[0]))  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="not finite"):
        engine.fill([gap])
    assert not engine.step()
