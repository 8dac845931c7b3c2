from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trueval.score.intervals import ENOUGH_PROBLEMS, cluster_bootstrap, wilson

FIGURES = [(9, 164, "2.9%", "10.1%"), (89, 164, "46.6%", "61.7%"), (8, 164, "2.5%", "9.3%")]


@given(
    st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.5, 0.8, 0.95, 0.99]),
)
def test_wilson_is_scipys(drawn: tuple[int, int], level: float) -> None:
    successes, n = drawn
    theirs = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert wilson(successes, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n", "low", "high"), FIGURES)
def test_wilson_gives_the_figures_that_the_docs_quote(
    successes: int, n: int, low: str, high: str
) -> None:
    assert [f"{end:.1%}" for end in wilson(successes, n)] == [low, high]


@given(st.integers(1, 10_000))
def test_wilson_is_exact_at_both_ends_and_never_a_point(n: int) -> None:
    low, high = wilson(0, n)
    assert low == 0.0 < high < 1.0
    assert wilson(n, n)[0] == pytest.approx(1 - high)
    assert wilson(n, n)[1] == 1.0


def test_before_anything_is_drawn_every_score_is_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("successes", "n", "level"), [(2, 1, 0.95), (-1, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0)]
)
def test_wilson_refuses_what_cannot_be(successes: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"cannot be|between 0 and 1"):
        wilson(successes, n, level)


def draw(rng: np.random.Generator, problems: int, samples: int, a: float, b: float) -> list[float]:
    difficulties = rng.beta(a, b, problems)
    return [float(c) / samples for c in rng.binomial(samples, difficulties)]


@pytest.mark.parametrize(
    ("problems", "samples", "a", "b"),
    [
        pytest.param(164, 5, 0.4, 0.6, id="middling"),
        pytest.param(164, 5, 0.2, 3.0, id="weak"),
        pytest.param(164, 5, 0.05, 0.95, id="weak, all or nothing"),
        pytest.param(164, 5, 3.0, 0.3, id="strong"),
        pytest.param(164, 5, 0.02, 2.0, id="on the floor"),
        pytest.param(164, 20, 5.0, 5.0, id="alike"),
        pytest.param(30, 5, 0.2, 1.5, id="few problems"),
    ],
)
def test_a_95_percent_interval_holds_the_truth_95_times_in_100(
    problems: int, samples: int, a: float, b: float
) -> None:
    rng = np.random.default_rng(20_260_101)
    rounds = 400
    truth = a / (a + b)
    held = 0
    for _ in range(rounds):
        low, high = cluster_bootstrap(draw(rng, problems, samples, a, b), resamples=1_000)
        held += low <= truth <= high
    # Three standard errors below, and 0.5 % for the bootstrap itself; on the floor it is
    # Wilson over problems, which is too wide on purpose: no upper bound.
    assert held / rounds >= 0.945 - 3 * (0.95 * 0.05 / rounds) ** 0.5


def test_the_bootstrap_is_as_wide_as_it_must_be_and_no_wider() -> None:
    rng = np.random.default_rng(5)
    values = np.array(draw(rng, 164, 5, 0.4, 0.6))
    low, high = cluster_bootstrap(values.tolist())
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    # Samples of one problem are alike: taking all 820 as independent would be too sure.
    alone = wilson(round(values.sum() * 5), 820)
    assert high - low > 1.3 * (alone[1] - alone[0])


def one_by_one(values: Sequence[float], resamples: int, seed: int) -> tuple[float, float]:
    """The studentised bootstrap as the book has it: draw problems one at a time."""
    rng = np.random.default_rng(seed)
    x = np.array(values)
    n, mean = len(x), x.mean()
    ratios = []
    for _ in range(resamples):
        again = rng.choice(x, n)
        ratios.append((again.mean() - mean) / (again.std(ddof=1) / n**0.5))
    below, above = np.quantile(ratios, [0.025, 0.975])
    error = x.std(ddof=1) / n**0.5
    return float(mean - above * error), float(mean - below * error)


@pytest.mark.parametrize("shape", [(0.4, 0.6), (0.2, 3.0), (3.0, 0.3)])
def test_counting_values_is_the_same_as_drawing_problems(shape: tuple[float, float]) -> None:
    values = draw(np.random.default_rng(9), 164, 5, *shape)
    assert cluster_bootstrap(values) == pytest.approx(one_by_one(values, 10_000, 3), abs=0.003)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_alike_is_not_all_certain(value: float) -> None:
    assert cluster_bootstrap([value] * 164) == wilson(164 * value, 164)
    low, high = cluster_bootstrap([value] * 164)
    assert high - low > 0.02


def test_the_same_share_everywhere_is_not_all_certain() -> None:
    assert cluster_bootstrap([0.4] * 50) == pytest.approx(wilson(20, 50))


def test_a_handful_of_problems_off_zero_is_too_few_to_resample() -> None:
    few = [0.2] * (ENOUGH_PROBLEMS - 1) + [0.0] * 155
    assert cluster_bootstrap(few) == pytest.approx(wilson(1.8, 164))


@given(st.lists(st.sampled_from([0, 0.2, 0.4, 0.6, 0.8, 1]), min_size=1, max_size=60), st.randoms())
def test_the_interval_holds_the_mean_and_knows_no_order(values: list[float], random) -> None:  # type: ignore[no-untyped-def]
    low, high = cluster_bootstrap(values, resamples=500)
    assert 0 <= low <= sum(values) / len(values) + 1e-12
    assert sum(values) / len(values) - 1e-12 <= high <= 1
    shuffled = random.sample(values, len(values))
    assert cluster_bootstrap(shuffled, resamples=500) == (low, high)


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [([], 0.95, "at least one"), ([1.2], 0.95, "0 .. 1"), ([0.5], 95, "between 0 and 1")],
)
def test_the_bootstrap_refuses_what_is_no_score(
    values: list[float], level: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cluster_bootstrap(values, level)


@pytest.mark.parametrize(
    "module", ["score.passk", "score.intervals", "score.outcomes", "score.estimate"]
)
def test_numpy_waits_for_the_first_bootstrap(module: str) -> None:
    code = f"import sys, trueval.{module}; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
