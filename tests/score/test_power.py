from __future__ import annotations

from math import comb

import pytest
from scipy import stats

from tests.score.simulation import power_at_detectable
from trueval.score.power import smallest_detectable


def power_by_enumeration(n: int, up: float, down: float) -> float:
    """Over every count of gains and losses: how often McNemar's exact p is at most 5 %."""
    found = 0.0
    for gains in range(n + 1):
        for losses in range(n + 1 - gains):
            flips = gains + losses
            if flips and stats.binomtest(gains, flips).pvalue <= 0.05:
                ways = comb(n, gains) * comb(n - gains, losses)
                found += ways * up**gains * down**losses * (1 - up - down) ** (n - flips)
    return found


@pytest.mark.parametrize(("n", "flipping"), [(30, 0.4), (24, 0.0)])
def test_what_is_detectable_is_found_80_times_in_100(n: int, flipping: float) -> None:
    delta = smallest_detectable(flipping, n)
    share = max(flipping, delta)
    power = power_by_enumeration(n, (share + delta) / 2, (share - delta) / 2)
    assert power == pytest.approx(0.8, abs=0.01)


def test_the_detectable_difference_is_found_in_a_simulation_too() -> None:
    found = power_at_detectable(164, 0.2, rounds=800, seed=1)
    assert found["power"] == pytest.approx(0.8, abs=3 * (0.16 / 800) ** 0.5)


def test_the_approximation_for_several_samples_meets_the_exact_test() -> None:
    exact, near = (smallest_detectable(0.2, 2_000, samples=n) for n in (1, None))
    assert near == pytest.approx(exact, rel=0.05)


def test_more_problems_or_fewer_flips_find_smaller_differences() -> None:
    assert smallest_detectable(0.2, 1033) < smallest_detectable(0.2, 164)
    assert smallest_detectable(0.05, 164) < smallest_detectable(0.2, 164)


def test_five_problems_can_never_tell() -> None:
    assert smallest_detectable(0.0, 5) == 1.0
