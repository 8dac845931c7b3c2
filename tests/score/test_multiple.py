from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.score.simulation import best_of, family_false_positives
from trueval.score.multiple import best_of_n_bias, holm

PUBLISHED = [
    ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
    ([0.5], [0.5]),
    ([], []),
    ([0.6, 0.7], [1.0, 1.0]),
]


@pytest.mark.parametrize(("p_values", "corrected"), PUBLISHED)
def test_holm_gives_the_worked_figures(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


def rejected_step_by_step(p_values: list[float], alpha: float) -> set[int]:
    """Holm's procedure as he wrote it: from the smallest, stop at the first that fails."""
    found: set[int] = set()
    for rank, index in enumerate(np.argsort(p_values)):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        found.add(int(index))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_corrected_values_reject_what_the_procedure_rejects(seed: int) -> None:
    p_values = (np.random.default_rng(seed).random(8) ** 3).tolist()
    corrected = holm(p_values)
    assert {i for i, p in enumerate(corrected) if p <= 0.05} == rejected_step_by_step(
        p_values, 0.05
    )


def test_many_identical_models_raise_no_more_false_alarms_than_one() -> None:
    assert family_false_positives(6, rounds=250, seed=8) <= 0.05 + 3 * (0.0475 / 250) ** 0.5


def test_the_bootstrap_of_the_best_is_what_every_resample_gives() -> None:
    rows = np.array([[1, 0, 1, 0, 1], [0, 1, 1, 0, 1], [1, 1, 0, 0, 0]], dtype=float)
    totals = []
    for drawn in product(range(5), repeat=5):
        left = [i for i in range(5) if i not in drawn]
        if left:
            inside = rows[:, list(drawn)].mean(axis=1)
            chosen = np.isclose(inside, inside.max())
            blind = rows[:, left].mean() - rows.mean()
            totals.append(rows[chosen][:, left].mean() - blind)
    found = best_of_n_bias(rows.tolist(), resamples=20_000)
    assert found.observed == 0.6
    assert found.bias == pytest.approx(0.6 - np.mean(totals), abs=0.01)


@pytest.mark.parametrize("configs", [2, 8, 16])
def test_the_bias_of_the_best_of_equals_is_found(configs: int) -> None:
    found = best_of(configs, 0.0, rounds=50, seed=configs)
    assert found["true"] > 0 or configs == 2
    assert found["estimated"] == pytest.approx(found["true"], abs=3 * found["noise"] + 0.005)


def test_where_one_is_far_ahead_there_is_hardly_any_bias() -> None:
    rng = np.random.default_rng(2)
    chances = np.array([0.3] * 7 + [0.7])[:, None]
    rows = (rng.random((8, 164)) < chances).astype(float).tolist()
    found = best_of_n_bias(rows)
    assert found.best == 7
    assert found.bias < 0.01
    assert found.corrected == pytest.approx(found.observed - found.bias)


def test_one_configuration_has_no_choice_to_pay_for() -> None:
    found = best_of_n_bias([[1, 0, 1, 1]])
    assert (found.bias, found.method) == (0.0, "exact")


@pytest.mark.parametrize("rows", [[], [[1.0]], [[1, 0], [1]], [[2, 0]]])
def test_the_best_of_nothing_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"row a configuration|0 .. 1"):
        best_of_n_bias(rows)
