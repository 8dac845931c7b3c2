from __future__ import annotations

from itertools import product
from math import log

import numpy as np
import pytest
from scipy import optimize, stats

from tests.score.simulation import DIFFERENT, IDENTICAL, World, compared, paired
from trueval.score.compare import (
    ENOUGH_FLIPS,
    difference,
    difference_interval,
    sign_flip_test,
    tango,
)

ROUNDS = 250


def runs(up: int, down: int, both: int, neither: int) -> tuple[list[float], list[float]]:
    """Two runs of which B gains `up` problems and loses `down`."""
    a = [0.0] * up + [1.0] * down + [1.0] * both + [0.0] * neither
    return a, [1.0] * up + [0.0] * down + [1.0] * both + [0.0] * neither


@pytest.mark.parametrize(
    ("up", "down"), [(0, 0), (1, 0), (6, 0), (5, 0), (9, 2), (20, 16), (40, 15), (3, 11), (90, 60)]
)
def test_with_one_sample_the_test_is_mcnemars(up: int, down: int) -> None:
    found = difference(*runs(up, down, 10, 4))
    assert found.test == "McNemar, exact"
    assert (found.gains, found.losses) == (up, down)
    theirs = stats.binomtest(up, up + down).pvalue if up + down else 1.0
    assert found.p == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_counted_flips_are_all_the_flips(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.integers(-5, 6, size=10).tolist()
    sums = [sum(s * step for s, step in zip(signs, steps, strict=True))
            for signs in product((-1, 1), repeat=10)]  # fmt: skip
    slow = sum(abs(found) >= abs(sum(steps)) for found in sums) / len(sums)
    p, how = sign_flip_test([step / 5 for step in steps], steps=steps)
    assert how == "sign flips, exact"
    assert p == pytest.approx(slow, abs=1e-12)


def test_drawn_flips_agree_with_counted_ones() -> None:
    steps = np.random.default_rng(4).integers(-3, 5, size=40).tolist()
    gaps = [step / 5 for step in steps]
    exact, _ = sign_flip_test(gaps, steps=steps)
    drawn, how = sign_flip_test(gaps, seed=3)
    assert "20000 drawn, seed 3" in how
    assert drawn == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 20_000) ** 0.5 + 1e-4)
    theirs = stats.permutation_test(
        (np.array(gaps), np.zeros(40)), lambda x, y: (x - y).mean(), permutation_type="samples",
        n_resamples=20_000, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert drawn == pytest.approx(theirs.pvalue, abs=0.02)


def test_a_drawn_p_is_never_zero() -> None:
    p, _ = sign_flip_test([0.37] * 60)
    assert 0 < p < 0.001


def score_by_likelihood(up: int, down: int, n: int, delta: float) -> float:
    """Tango's statistic, its nuisance share found by maximising the likelihood numerically."""

    def loss(share: float) -> float:
        cells = ((up, share + delta), (down, share), (n - up - down, 1 - 2 * share - delta))
        return -sum(count * log(max(p, 1e-300)) for count, p in cells if count)

    ends = (max(0.0, -delta), (1 - delta) / 2)
    share = optimize.minimize_scalar(
        loss, bounds=ends, method="bounded", options={"xatol": 1e-12}
    ).x
    return float((up - down - n * delta) / (n * (2 * share + delta - delta**2)) ** 0.5)


@pytest.mark.parametrize(("up", "down", "n"), [(12, 2, 50), (2, 4, 164), (8, 1, 30), (3, 3, 20)])
def test_tangos_limits_are_where_the_score_test_turns(up: int, down: int, n: int) -> None:
    low, high = tango(up, down, n)
    assert low < (up - down) / n < high
    assert score_by_likelihood(up, down, n, low) == pytest.approx(1.96, abs=0.003)
    assert score_by_likelihood(up, down, n, high) == pytest.approx(-1.96, abs=0.003)


def test_no_flips_at_all_is_not_all_certain() -> None:
    found = difference(*runs(0, 0, 60, 104))
    # z**2 / (n + z**2), Tango's limit where nothing differs.
    assert (found.low, found.high) == pytest.approx((-0.0229, 0.0229), abs=1e-4)
    assert found.p == 1.0
    assert found.verdict() == "cannot tell"


def test_the_bootstrap_is_scipys() -> None:
    rng = np.random.default_rng(3)
    gaps = rng.choice([-1.0, 0.0, 1.0], size=164, p=[0.15, 0.6, 0.25])
    low, high, how = difference_interval(gaps.tolist())
    theirs = stats.bootstrap(
        (gaps,), np.mean, n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert how == "paired bootstrap"
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.008)


def test_few_flips_one_way_are_too_few_to_resample() -> None:
    assert difference(*runs(40, ENOUGH_FLIPS - 1, 0, 0)).interval_method == "Tango"
    assert difference(*runs(40, ENOUGH_FLIPS, 0, 0)).interval_method == "paired bootstrap"


@pytest.mark.parametrize(
    ("up", "down", "verdict"),
    [(30, 5, "better"), (5, 30, "worse"), (6, 0, "better"), (5, 0, "cannot tell")],
)
def test_a_verdict_takes_a_small_p_and_an_interval_without_zero(
    up: int, down: int, verdict: str
) -> None:
    found = difference(*runs(up, down, 40, 80))
    assert found.verdict() == verdict
    assert found.verdict(p=0.2) == "cannot tell"  # as corrected for other comparisons


def test_the_same_runs_give_the_same_answer_and_swapped_ones_the_opposite() -> None:
    a, b = runs(30, 12, 20, 40)
    there, back = difference(a, b), difference(b, a)
    assert there == difference(a, b)
    assert there.p == back.p
    assert there.value == -back.value
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=0.01)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [([], [], "nothing to pair"), ([1.0], [], "nothing to pair"), ([1.2], [0.0], "0 .. 1"),
     ([0.3], [0.0], "no shares of 1")],
)  # fmt: skip
def test_a_difference_refuses_what_is_no_pair(a: list[float], b: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        difference(a, b)


NOISE = 3 * (0.95 * 0.05 / ROUNDS) ** 0.5


def test_a_difference_is_made_of_the_interval_and_the_test_that_are_simulated() -> None:
    a, b = DIFFERENT[0].draw(np.random.default_rng(1))
    steps, gaps = paired(a, b, 1)
    found = difference(a, b)
    assert (found.low, found.high, found.interval_method) == difference_interval(gaps)
    assert found.p == sign_flip_test(gaps, steps=steps)[0]


@pytest.mark.parametrize("world", IDENTICAL, ids=lambda world: world.name)
def test_identical_models_are_told_apart_5_times_in_100_at_most(world: World) -> None:
    found = compared(world, ROUNDS, seed=20_260_201)
    assert found["coverage"] >= 0.945 - NOISE
    assert found["claims"] <= 0.05 + NOISE


@pytest.mark.parametrize("world", DIFFERENT, ids=lambda world: world.name)
def test_a_95_percent_interval_holds_the_true_difference(world: World) -> None:
    assert compared(world, ROUNDS, seed=20_260_202)["coverage"] >= 0.945 - NOISE
