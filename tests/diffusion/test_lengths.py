"""The search for a gap's length, on the grammar whose gaps have one length that fits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import trueval.diffusion.calibration as calibration  # noqa: E402
from tests.diffusion.trained import holes  # noqa: E402
from trueval.diffusion.calibration import MOST, Sizes, calibrated, fingerprint  # noqa: E402
from trueval.diffusion.candidates import REFINED, Ask, grid, look, weigh  # noqa: E402
from trueval.diffusion.holes import Hole, kind_of, library_holes  # noqa: E402
from trueval.diffusion.infill import Infiller  # noqa: E402
from trueval.diffusion.judge import Judge  # noqa: E402
from trueval.diffusion.lengths import Candidate, Found, Search, line_end  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402
from trueval.diffusion.signals import Eye  # noqa: E402
from trueval.errors import ConfigError  # noqa: E402

SIZES = Sizes(40)
GREEDY = Settings(sampler="entropy", temperature=0.0)


def cut(count: int, seed: int) -> list[Hole]:
    made = holes(count, seed=seed)
    return [Hole(prefix=one.prefix, middle=one.middle, suffix=one.suffix) for one in made]


@pytest.fixture(scope="module")
def judge(model: Any) -> Judge:
    """Calibrated on texts of the grammar that no test asks about."""
    known = cut(SIZES.prior + SIZES.probed + SIZES.checked, seed=11)
    return calibrated(model, "span", sizes=SIZES, holes=known)


@pytest.fixture
def search(model: Any, judge: Judge) -> Search:
    return Search(model, judges={"span": judge})


def found_by(search: Search, asked: list[Hole]) -> list[Found]:
    return [search.find(one.prefix, one.suffix, kind="span", most=20) for one in asked]


def test_the_lengths_of_gaps_are_found_far_more_often_than_by_the_prior(
    search: Search, judge: Judge
) -> None:
    asked = cut(40, seed=5)
    found = found_by(search, asked)
    right = sum(len(h.middle) == f.length for h, f in zip(asked, found, strict=True))
    guesses = [int(judge.beforehand(h.prefix, h.suffix, 20).argmax()) + 1 for h in asked]
    guessed = sum(len(h.middle) == g for h, g in zip(asked, guesses, strict=True))
    # 75 and 24 of 100 where this was written.
    assert right >= 0.55 * len(asked)
    assert right >= 2 * guessed


def test_a_gap_whose_length_was_found_is_filled(model: Any, judge: Judge) -> None:
    infiller = Infiller(model)
    infiller.search = Search(model, judges={"span": judge})
    asked = cut(24, seed=6)
    texts = [(hole.prefix, hole.suffix) for hole in asked]

    def share(**given: Any) -> float:
        filled = infiller.fill_many(texts, settings=GREEDY, **given)
        pairs = zip(asked, filled, strict=True)
        return sum(hole.middle == one.text for hole, one in pairs) / len(asked)

    by_search, by_oracle = (
        share(length="search", hole="span"),
        share(length=[len(hole.middle) for hole in asked]),
    )
    fixed = share(length=8)
    # At least half of the way from a fixed length to the true one.
    assert by_search >= (fixed + by_oracle) / 2


def test_what_is_found_depends_on_the_context_alone(model: Any, judge: Judge) -> None:
    asked = cut(6, seed=7)
    one, other = (Search(model, judges={"span": judge}) for _ in range(2))
    assert found_by(one, asked) == found_by(other, asked[::-1])[::-1]


@dataclass
class Computed:
    """What a search had the model compute."""

    rows: list[Any] = field(default_factory=list)
    passes: float = 0.0


@pytest.fixture
def computed(model: Any, monkeypatch: pytest.MonkeyPatch) -> Computed:
    seen, windows, rewindow = Computed(), model.windows, model.rewindow

    def full(rows: Any, *rest: Any) -> Any:
        seen.rows.extend(row.tolist() for row in rows)
        seen.passes += len(rows)
        return windows(rows, *rest)

    def part(kept: Any, rows: Any, *rest: Any, **more: Any) -> Any:
        seen.rows.extend(row.tolist() for row in rows)
        seen.passes += sum(len(k.places) / len(row) for k, row in zip(kept, rows, strict=True))
        return rewindow(kept, rows, *rest, **more)

    monkeypatch.setattr(model, "windows", full)
    monkeypatch.setattr(model, "rewindow", part)
    return seen


def test_each_position_is_counted_and_a_gap_is_looked_at_once(
    search: Search, computed: Computed
) -> None:
    [hole] = cut(1, seed=8)
    [first] = found_by(search, [hole])
    assert first.cost == pytest.approx(computed.passes)
    [again] = found_by(search, [hole])
    assert (again.length, again.kind) == (first.length, first.kind)
    assert (again.cost, again.candidates) == (0.0, ())
    drafted = [one for one in first.candidates if one.text is not None]
    probes = len(first.candidates)
    flat = torch.zeros(20).double().log_softmax(0).numpy()
    assert probes <= len(grid(Ask(prefix=(), suffix=(), prior=flat))) + 3 + REFINED
    assert 1 + probes + len(drafted) < len(computed.rows)


def test_a_whole_task_is_remembered_until_its_next_samples(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Candidate(length=3, odds=1.0, prior=1.0, confidence=-1.0, text="abc", logp=-1.0)
    looks: list[str] = []

    def look(_judge: Judge, prefix: str, *_: object) -> Found:
        looks.append(prefix)
        return Found(length=3, kind="span", cost=7.0, candidates=(one,))

    monkeypatch.setattr(search, "_find", look)
    # As many as the largest task has, in the order of a run: each sample of all of them.
    asked = [(str(number), "x") for number in range(5815)] * 2
    found = [search.find(*text, kind="span") for text in asked]
    assert len(looks) == 5815
    assert sum(one.cost for one in found) == 5815 * 7
    # What each was filled with would be a hundred times what the lengths take.
    assert not any(known.candidates for known in search._known.values())


def test_every_canvas_is_context_and_masks_or_what_the_model_said(
    search: Search, model: Any, computed: Computed
) -> None:
    """The middle is nowhere to be seen: two holes with one context are one to the search."""
    [hole] = cut(1, seed=9)
    found_by(search, [hole])
    prefix, mask = model.encode(hole.prefix), model.adapter.mask_id
    probes = [row for row in computed.rows if row[len(prefix)] == mask]
    assert probes and all(row[: len(prefix)] == prefix for row in computed.rows)
    behind = len(model.encode(hole.suffix)) - 2
    assert all(row[-behind:] == model.encode(hole.suffix)[2:] for row in computed.rows)


def test_a_look_at_a_length_costs_less_than_a_pass(search: Search) -> None:
    """A look at a length computes that gap anew, and not the context with it."""
    found = found_by(search, cut(12, seed=13))
    lengths = sum(len(one.candidates) for one in found)
    assert lengths >= 8 * len(found)
    assert sum(one.cost for one in found) < 0.8 * lengths


def test_no_length_wins_but_one_that_is_worth_more_than_all_that_were_given_up(
    model: Any, judge: Judge
) -> None:
    """Filling every length to the end finds the same one."""
    eye = Eye(model)
    for hole in cut(10, seed=14):
        prior = judge.beforehand(hole.prefix, hole.suffix, 20)
        prefix, suffix = (tuple(model.encode(text)) for text in (hole.prefix, hole.suffix))
        ask = Ask(prefix=prefix, suffix=suffix, prior=prior)
        view = ask.seen_by(eye)
        probed = look(view, judge, ask)
        bounded = weigh(view, judge, probed)
        worth = {}
        for one in probed:
            draft = view.begun(one.length)
            while not draft.is_over:
                view.advance([draft])
            worth[one.length] = one.logp + judge.of_draft(draft, view.told(draft))
        assert bounded[0].length == max(worth, key=lambda n: worth[n])
        given_up = [one for one in bounded if one.draft is None]
        assert {one.length for one in bounded} == set(worth)
        assert bounded[len(bounded) - len(given_up) :] == given_up


def test_what_a_draft_is_worth_only_falls(model: Any, judge: Judge) -> None:
    [hole] = cut(1, seed=15)
    prior = judge.beforehand(hole.prefix, hole.suffix, 20)
    ask = Ask(prefix=tuple(model.encode(hole.prefix)), suffix=(), prior=prior)
    view = replace(ask, suffix=tuple(model.encode(hole.suffix))).seen_by(Eye(model))
    draft, worth = view.begun(9), [0.0]
    while not draft.is_over:
        view.advance([draft])
        worth.append(judge.of_draft(draft, view.told(draft)))
    assert worth == sorted(worth, reverse=True) and len(worth) > 3


def test_no_candidate_is_longer_than_allowed(search: Search) -> None:
    for hole in cut(4, seed=10):
        for most in (1, 2, 5):
            found = search.find(hole.prefix, hole.suffix, kind="span", most=most)
            lengths = [found.length, *(one.length for one in found.candidates)]
            assert all(1 <= length <= most for length in lengths)


def test_a_kind_that_there_is_not_is_refused(search: Search) -> None:
    with pytest.raises(ConfigError, match="no kind of hole"):
        search.find("a", "b", kind="linse")


# --------------------------------------------------------------------------- the cache


def test_a_calibration_is_made_once_a_checkpoint_and_kind(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "cache_dir", lambda: tmp_path)
    said: list[str] = []
    sizes = Sizes(8)
    made = calibrated(model, "line", sizes=sizes, say=said.append)
    kept = calibrated(model, "line", sizes=sizes, say=said.append)
    assert len(said) == 1
    assert kept == made
    assert made.facts["left_out"]["holes"] == sizes.checked
    [file] = (tmp_path / "lengths").iterdir()
    # Where a file is damaged, it is made anew.
    file.write_text('{"kind": "line"}')
    assert calibrated(model, "line", sizes=sizes, say=said.append) == made
    assert len(said) == 2
    calibrated(model, "span", sizes=sizes, say=said.append)
    assert len(list((tmp_path / "lengths").iterdir())) == 2


def test_another_checkpoint_has_another_fingerprint(model: Any, tmp_path: Path) -> None:
    from tests.diffusion.checkpoints import write_checkpoint
    from trueval.diffusion.model import load_model

    other = load_model(write_checkpoint(tmp_path / "tiny", "open-dcoder"), dtype="float32")
    assert fingerprint(model) == fingerprint(model) != fingerprint(other)


def test_a_model_that_resizes_its_gaps_starts_at_the_priors_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.diffusion.checkpoints import write_checkpoint
    from trueval.diffusion.model import load_model

    monkeypatch.setattr(calibration, "cache_dir", lambda: tmp_path)
    model = load_model(write_checkpoint(tmp_path / "tiny", "dreamon"), dtype="float32")
    search = Search(model, sizes=Sizes(8))
    found = search.find("def f(x):\n", "    return y\n", kind="line", most=20)
    judge = search.ready("line")
    prior = judge.beforehand("def f(x):\n", "    return y\n", 20)
    assert (found.length, found.cost) == (int(prior.argmax()) + 1, 0)


# --------------------------------------------------------------------------- holes and texts


def test_holes_of_the_library_are_cut_by_rule() -> None:
    lines, several = library_holes("line", 30), library_holes("lines", 30)
    assert lines == library_holes("line", 40)[:30]
    for hole in lines:
        assert hole.middle.count("\n") == 1 and hole.middle.endswith("\n")
        assert hole.prefix.endswith("\n") and hole.middle.strip()
    assert all(hole.prefix.endswith("\n") and hole.middle.endswith("\n") for hole in several)
    assert max(hole.middle.count("\n") for hole in several) > 2
    assert max(len(hole.middle) for hole in library_holes("span", 30)) > 40
    for hole in lines + several:
        compile(hole.prefix + hole.middle + hole.suffix, "<hole>", "exec")


@pytest.mark.parametrize(
    ("prefix", "suffix", "kind"),
    [("", "x\n", "lines"), ("a\n", "b\n", "lines"), ("a", "b\n", "span"), ("a\n", "\nb", "span")],
)
def test_what_is_missing_is_told_by_the_looks(prefix: str, suffix: str, kind: str) -> None:
    assert kind_of(prefix, suffix) == kind


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("    x = 1\n", "    x = 1\n"),
        ("    x = 1", "    x = 1"),
        ("    x = 1\n    x = 1\n", "    x = 1\n"),
        ("    x = 1\n    x =", "    x = 1\n"),
        ("    x = 1\n\n", "    x = 1\n"),
        ("    x = 1\n    retu", "    x = 1\n"),
        ("    x = 1\n    return x\n    x = 1\n    r", "    x = 1\n"),
        ("    x = (1 +\n         2)\n", "    x = (1 +\n         2)\n"),
        ("    x = 1\n    y = 2\n", "    x = 1\n    y = 2\n"),
        ("\n    x = 1\n", "\n    x = 1\n"),
    ],
)
def test_a_line_ends_where_only_more_of_the_same_follows(text: str, kept: str) -> None:
    assert line_end(text, "\n    return x\n") == kept


def test_the_longest_gap_is_the_backends() -> None:
    from trueval.generate.gaps import LONGEST

    assert MOST == LONGEST
