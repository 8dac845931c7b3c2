from __future__ import annotations

import random
from itertools import combinations

import pytest

from trueval.errors import DataError, InfraError
from trueval.score.estimate import Scores, estimate, estimates
from trueval.score.intervals import cluster_bootstrap, wilson
from trueval.score.outcomes import Tally
from trueval.types import (
    Completion,
    Failure,
    Grade,
    Program,
    Request,
    Sample,
    SamplingParams,
    TextPrompt,
    Verdict,
)

INFRA = Failure(stage="generate", message="503")


def tally_of(passes: list[int], n: int) -> Tally:
    tally = Tally(problems=len(passes), samples_per_problem=n)
    for problem, c in enumerate(passes):
        for index in range(n):
            tally.add(str(problem), Grade(verdict="passed" if index < c else "wrong"))
    return tally


def sample(
    problem: int,
    index: int = 0,
    verdict: Verdict | None = "wrong",
    *,
    failure: Failure | None = None,
    edits: tuple[str, ...] = (),
    repairs: tuple[str, ...] = (),
    after: Grade | Failure | None = None,
) -> Sample:
    request = Request(
        problem_id=str(problem),
        sample_index=index,
        model="m",
        prompt=TextPrompt(text="x"),
        params=SamplingParams(),
    )
    if failure:
        return Sample(request=request, completion=failure)
    return Sample(
        request=request,
        completion=Completion(text="y", prompt_tokens=3, completion_tokens=5, duration_s=0.5),
        program=Program(source="y", edits=edits),
        grade=Grade(verdict=verdict, duration_s=0.25) if verdict else None,
        repaired=Program(source="z", edits=edits + repairs) if repairs else None,
        repaired_grade=after,
    )


def test_one_sample_a_problem_gets_a_wilson_interval() -> None:
    found = estimate(tally_of([1] * 9 + [0] * 155, 1))
    assert (found.metric, found.value, found.method) == ("pass@1", 9 / 164, "wilson")
    assert (found.low, found.high) == wilson(9, 164)
    assert (found.problems, found.samples_per_problem, found.level) == (164, 1, 0.95)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_several_samples_get_the_mean_over_every_draw_and_a_cluster_bootstrap(k: int) -> None:
    rng = random.Random(3)
    passes = [rng.choice([0, 0, 1, 2, 5]) for _ in range(60)]
    draws = list(combinations(range(5), k))
    shares = [sum(any(i < c for i in draw) for draw in draws) / len(draws) for c in passes]
    found = estimate(tally_of(passes, 5), k)
    assert found.value == pytest.approx(sum(shares) / 60)
    assert (found.low, found.high) == pytest.approx(cluster_bootstrap(shares))
    assert found.method == "bootstrap"


def test_when_all_samples_are_drawn_at_once_a_problem_is_one_draw() -> None:
    found = estimate(tally_of([0, 1, 3, 5] * 10, 5), 5)
    assert found.value == 0.75
    assert (found.low, found.high, found.method) == (*wilson(30, 40), "wilson")


def test_a_score_of_zero_is_not_certain() -> None:
    found = estimate(tally_of([0] * 40, 5))
    assert (found.value, found.low, found.method) == (0.0, 0.0, "wilson over problems")
    assert found.high == wilson(0, 40)[1] > 0.05


def test_more_draws_than_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="pass@2 needs at least 2 samples a problem, got 1"):
        estimate(tally_of([1, 0], 1), 2)
    with pytest.raises(ValueError, match="pass@2"):
        estimates([], problems=1, samples_per_problem=1, ks=(1, 2))


def test_infra_takes_the_headline_and_force_leaves_it_in_the_denominator() -> None:
    tally = Tally(problems=4, samples_per_problem=1)
    tally.add("a", Grade(verdict="passed"))
    tally.add("b", Grade(verdict="wrong"))
    tally.add("c", INFRA)
    with pytest.raises(InfraError, match="1 infra, 1 missing of 4 samples"):
        estimate(tally)
    forced = estimate(tally, force=True)
    assert forced.value == 1 / 4
    assert (forced.low, forced.high) == wilson(1, 4)
    assert forced.method == "wilson; 1 infra, 1 missing counted as not passed"


def scores(*samples: Sample, problems: int = 4, force: bool = False) -> Scores:
    return estimates(samples, problems=problems, samples_per_problem=1, force=force)


def test_repair_moves_its_own_line_and_never_the_headline() -> None:
    found = scores(
        sample(0, verdict="passed", edits=("fence",)),
        sample(1, edits=("fence", "stop"), repairs=("imports",), after=Grade(verdict="passed")),
        sample(2, repairs=("imports", "dedent"), after=Grade(verdict="error")),
        sample(3),
    )
    assert found.raw[0].value == 1 / 4
    assert found.repaired[0].value == 2 / 4
    assert (found.outcomes.verdicts["wrong"], found.repaired_outcomes.verdicts["wrong"]) == (3, 1)
    assert found.edits == {"fence": 2, "stop": 1}
    assert found.repairs == {"imports": 2, "dedent": 1}
    assert (found.prompt_tokens, found.completion_tokens) == (12, 20)
    assert (found.generation_s, found.grading_s) == (2.0, 1.0)


def test_a_repaired_program_that_could_not_be_graded_costs_the_repaired_line_only() -> None:
    found = scores(sample(0, repairs=("imports",), after=INFRA), sample(1), problems=2)
    assert found.raw
    assert found.repaired == ()
    assert found.repaired_outcomes.infra == 1


@pytest.mark.parametrize(
    "bad", [sample(1, failure=INFRA), sample(1, verdict=None), None], ids=["infra", "owed", "none"]
)
def test_without_every_verdict_there_is_no_headline_unless_forced(bad: Sample | None) -> None:
    rest = [bad] if bad else []
    assert scores(sample(0), *rest, problems=2).raw == ()
    forced = scores(sample(0, verdict="passed"), *rest, problems=2, force=True)
    assert forced.raw[0].value == 0.5


def test_a_sample_counts_once() -> None:
    with pytest.raises(DataError, match="sample 0 of problem '1' stands there twice"):
        scores(sample(1), sample(1))
    with pytest.raises(DataError, match="sample 1 of problem '1', but the run draws 1"):
        scores(sample(1, 1))


def test_the_order_in_which_samples_finish_moves_no_digit() -> None:
    rng = random.Random(0)
    drawn = [
        sample(p, i, "passed" if rng.random() < 0.1 + p / 80 else "wrong")
        for p in range(40)
        for i in range(5)
    ]
    found = {
        estimates(rng.sample(drawn, 200), problems=40, samples_per_problem=5, ks=(1, 3)).raw
        for _ in range(5)
    }
    assert len(found) == 1
