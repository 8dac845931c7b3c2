from __future__ import annotations

import pytest

from trueval.score.intervals import wilson
from trueval.score.matches import MatchTally


def test_yes_or_no_of_each_problem_has_wilsons_interval() -> None:
    tally = MatchTally(problems=10, samples_per_problem=1)
    for place in range(4):
        tally.add(f"p{place}", {"first-line": 1.0 if place < 3 else 0.0})
    found = tally.estimate("first-line", level=0.95, seed=0)
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx(wilson(3, 10))
    assert (found.metric, found.method) == ("exact match (first-line)", "wilson")


def test_several_samples_a_problem_count_as_their_mean() -> None:
    tally = MatchTally(problems=30, samples_per_problem=2)
    for place in range(30):
        for sample in range(2):
            tally.add(f"p{place}", {"edit-similarity": (place + sample) / 31})
    found = tally.estimate("edit-similarity", level=0.95, seed=0)
    assert found.value == pytest.approx(0.483870967)
    assert found.low < found.value < found.high
    assert found.method == "bootstrap"


def test_samples_that_never_came_count_as_nothing() -> None:
    tally = MatchTally(problems=4, samples_per_problem=1)
    tally.add("p", {"whole-text": 1.0})
    assert tally.estimate("whole-text", level=0.95, seed=0).value == 0.25
    assert tally.estimate("first-line", level=0.95, seed=0).value == 0.0
