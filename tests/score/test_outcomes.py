from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueval.errors import DataError
from trueval.score.outcomes import Tally
from trueval.types import VERDICTS, Failure, Grade, Verdict

INFRA = Failure(stage="generate", message="503")
OUTCOMES: list[Grade | Failure | None] = [
    *(Grade(verdict=verdict) for verdict in VERDICTS),
    INFRA,
    None,
]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(OUTCOMES)), max_size=40))
def test_problems_times_samples_is_the_sum_of_all_counts(
    drawn: list[tuple[int, Grade | Failure | None]],
) -> None:
    tally = Tally(problems=4, samples_per_problem=40)
    for problem, grade in drawn:
        tally.add(f"p{problem}", grade)
    outcomes = tally.outcomes
    assert sum(outcomes.verdicts.values()) + outcomes.infra + outcomes.missing == 160
    for verdict in VERDICTS:
        assert outcomes.verdicts[verdict] == sum(
            isinstance(grade, Grade) and grade.verdict == verdict for _, grade in drawn
        )
    assert outcomes.infra == sum(grade is INFRA for _, grade in drawn)
    assert sum(tally.passes()) == outcomes.passed
    assert len(tally.passes()) == 4
    assert set(outcomes.as_dict()) == {*VERDICTS, "infra", "missing", "rescued"} | {
        "problems",
        "samples_per_problem",
    }


def test_a_failure_is_infra_and_never_a_wrong_answer() -> None:
    tally = Tally(problems=1, samples_per_problem=1)
    tally.add("p", INFRA)
    assert (tally.outcomes.infra, tally.outcomes.graded) == (1, 0)
    assert not tally.outcomes.complete


@pytest.mark.parametrize(("verdict", "rescued"), [("passed", 1), ("wrong", 1), ("timeout", 0)])
def test_rescued_timeouts_are_counted_beside_the_sum(verdict: Verdict, rescued: int) -> None:
    tally = Tally(problems=1, samples_per_problem=1)
    tally.add("p", Grade(verdict=verdict, alone=True))
    assert tally.outcomes.rescued == rescued
    assert tally.outcomes.complete


def test_a_sample_too_many_is_refused() -> None:
    tally = Tally(problems=2, samples_per_problem=1)
    tally.add("p", Grade(verdict="passed"))
    with pytest.raises(DataError, match="more than 1 samples of problem 'p'"):
        tally.add("p", Grade(verdict="passed"))
    tally.add("q", Grade(verdict="wrong"))
    with pytest.raises(DataError, match="all 2 problems"):
        tally.add("r", Grade(verdict="wrong"))
    assert tally.outcomes.complete  # What was refused was not counted.


def test_counts_that_do_not_add_up_are_refused() -> None:
    tally = Tally(problems=2, samples_per_problem=1)
    tally.add("p", Grade(verdict="passed"))
    with pytest.raises(DataError, match=r"2 problems x 1 samples = 2, but .* = 3"):
        replace(tally.outcomes, infra=1).check()


@pytest.mark.parametrize(("problems", "samples"), [(0, 1), (1, 0)])
def test_there_is_no_tally_of_nothing(problems: int, samples: int) -> None:
    with pytest.raises(ValueError, match="nothing to count"):
        Tally(problems=problems, samples_per_problem=samples)
