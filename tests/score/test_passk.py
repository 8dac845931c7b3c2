from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueval.score.passk import pass_at_k


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.data())
def test_pass_at_k_is_the_share_of_all_draws_that_hold_a_pass(
    drawn: tuple[int, int], data: st.DataObject
) -> None:
    n, c = drawn
    k = data.draw(st.integers(1, n))
    draws = [any(i < c for i in draw) for draw in combinations(range(n), k)]
    assert pass_at_k(n, c, k) == float(Fraction(sum(draws), len(draws)))


@pytest.mark.parametrize("p", [Fraction(1, 50), Fraction(1, 3), Fraction(9, 10)])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 1), (5, 3), (10, 10)])
def test_pass_at_k_is_unbiased(p: Fraction, n: int, k: int) -> None:
    chance = [comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    expected = sum(float(chance[c]) * pass_at_k(n, c, k) for c in range(n + 1))
    assert expected == pytest.approx(float(1 - (1 - p) ** k))


def test_pass_at_k_is_exact_where_floats_overflow_or_cancel() -> None:
    assert pass_at_k(5000, 2500, 2500) == 1.0
    assert pass_at_k(10**9, 1, 1) == 1e-9
    assert pass_at_k(200, 0, 100) == 0.0


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        (5, 1, 6, "pass@6 needs at least 6 samples a problem, got 5"),
        (0, 0, 1, "pass@1 needs at least 1 samples a problem, got 0"),
        (5, 1, 0, "pass@k needs a k of at least 1, got 0"),
        (5, 6, 1, "6 of 5 samples cannot have passed"),
        (5, -1, 1, "-1 of 5 samples cannot have passed"),
    ],
)
def test_pass_at_k_refuses_what_it_cannot_answer(n: int, c: int, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pass_at_k(n, c, k)
