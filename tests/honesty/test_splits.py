from __future__ import annotations

import pytest

from trueval.honesty.splits import Split, family_of, split_of
from trueval.tasks.humaneval import HumanEval


@pytest.mark.parametrize(
    ("problem_id", "side"),
    [
        ("HumanEval/0", "test"),
        ("HumanEval/1", "dev"),
        ("HumanEval/2", "dev"),
        ("HumanEval/163", "test"),
        ("Demo/0", "test"),
        ("Demo/1", "dev"),
        ("Mbpp/2", "dev"),
        ("eigenes/äö", "dev"),
    ],
)
def test_a_problem_stays_on_its_side_for_ever(problem_id: str, side: Split) -> None:
    assert split_of(problem_id) == side


def test_humaneval_is_dealt_74_to_90() -> None:
    problems = HumanEval().load().problems
    assert sum(split_of(problem.problem_id) == "dev" for problem in problems) == 74


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_dev_share_is_as_asked_for(share: float) -> None:
    dev = sum(split_of(f"row/{i}", dev_share=share) == "dev" for i in range(10_000))
    assert dev == pytest.approx(10_000 * share, abs=150)  # three standard deviations


def test_a_larger_dev_share_keeps_the_problems_of_a_smaller_one() -> None:
    names = [f"row/{i}" for i in range(500)]
    small, large = (
        {name for name in names if split_of(name, dev_share=share) == "dev"} for share in (0.2, 0.6)
    )
    assert small < large


def test_another_salt_deals_anew() -> None:
    sides = [(split_of(f"row/{i}"), split_of(f"row/{i}", salt="other")) for i in range(1000)]
    assert sum(a != b for a, b in sides) == pytest.approx(500, abs=50)


@pytest.mark.parametrize("cut", ["RandomSpanInfilling/HumanEval/{}/1", "HumanEval_{}_has_close"])
def test_what_is_cut_from_a_problem_is_on_its_side(cut: str) -> None:
    for number in range(50):
        assert split_of(cut.format(number)) == split_of(f"HumanEval/{number}")


def test_families_are_told_apart() -> None:
    assert family_of("HumanEval/1") != family_of("HumanEval/11")
    assert family_of("MBPP/2") == family_of("Mbpp/2") != family_of("HumanEval/2")


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        split_of("HumanEval/0", dev_share=share)
