"""From counted outcomes to scores that carry their interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trueval.errors import DataError, InfraError
from trueval.score.intervals import cluster_bootstrap, few_informative, wilson
from trueval.score.matches import MatchTally
from trueval.score.outcomes import Outcomes, Tally
from trueval.score.passk import pass_at_k
from trueval.types import Completion, Estimate, Failure, Grade, Metric, Sample

DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Everything that the samples of one run say, raw and repaired apart."""

    raw: tuple[Estimate, ...]
    """One a metric, and for `pass` one a `k`, of what the model wrote. Empty when samples lack a
    verdict: no headline score."""
    repaired: tuple[Estimate, ...]
    """The same after repair steps; equal to `raw` where they changed nothing."""
    outcomes: Outcomes
    repaired_outcomes: Outcomes
    edits: Mapping[str, int]
    """Name of an extract or trim step -> samples that it changed."""
    repairs: Mapping[str, int]
    """Name of a repair step -> samples that it changed."""
    prompt_tokens: int
    completion_tokens: int
    generation_s: float
    """Seconds of all requests, each by itself: with several in flight, more than the clock's."""
    grading_s: float
    """Seconds of all programs, each by itself."""


def estimate(
    tally: Tally, k: int = 1, *, level: float = DEFAULT_LEVEL, seed: int = 0, force: bool = False
) -> Estimate:
    """pass@k over all problems of a tally, with its interval.

    When `k` is the number of samples a problem, a problem is one draw, and the interval Wilson's;
    else it is `cluster_bootstrap`, which falls back to Wilson over problems where too few of them
    are off 0 or 1. `method` names the one used.

    Raises `ValueError` for `k` above the samples a problem, `InfraError` when samples lack a
    verdict. With `force` those stay in the denominator as not passed, and `method` counts them.
    """
    outcomes = tally.outcomes
    if not (outcomes.complete or force):
        raise InfraError(
            f"no score: {_unfinished(outcomes)} of {outcomes.total} samples have no verdict",
            hint="the same command draws them again; --force counts them as not passed",
        )
    n = tally.samples_per_problem
    passes = tally.passes()
    value_of = {c: pass_at_k(n, c, k) for c in set(passes)}
    low, high, method = _interval([value_of[c] for c in passes], n == k, level, seed)
    return Estimate(
        metric=f"pass@{k}",
        value=_mean(passes, value_of),
        low=low,
        high=high,
        level=level,
        method=method
        if outcomes.complete
        else f"{method}; {_unfinished(outcomes)} counted as not passed",
        problems=tally.problems,
        samples_per_problem=n,
    )


def estimates(
    samples: Iterable[Sample],
    *,
    problems: int,
    samples_per_problem: int,
    ks: Sequence[int] = (1,),
    metrics: Sequence[Metric] = ("pass",),
    force: bool = False,
    level: float = DEFAULT_LEVEL,
    seed: int = 0,
) -> Scores:
    """Scores, outcomes, edits, tokens and seconds of a stream of samples, read once.

    Memory grows with problems, not with samples. A sample that no repair step changed counts with
    its raw grade on the repaired line. Without `force`, a line whose samples lack a verdict has
    no estimates. Raises `ValueError` for a `k` above the samples a problem, `DataError` for a
    sample that stands twice or does not belong to a run of this size.
    """
    for k in ks:
        pass_at_k(samples_per_problem, 0, k)  # Refuse before reading a million lines.
    reader = _Reader(problems, samples_per_problem)
    for sample in samples:
        reader.add(sample)

    def line(tally: Tally, matches: MatchTally) -> Iterator[Estimate]:
        for metric in metrics if tally.outcomes.complete or force else ():
            if metric != "pass":
                yield matches.estimate(metric, level=level, seed=seed)
                continue
            for k in ks:
                yield estimate(tally, k, level=level, seed=seed, force=force)

    return Scores(
        raw=tuple(line(reader.raw, reader.matches)),
        repaired=tuple(line(reader.repaired, reader.repaired_matches)),
        outcomes=reader.raw.outcomes,
        repaired_outcomes=reader.repaired.outcomes,
        edits=dict(reader.edits.most_common()),
        repairs=dict(reader.repairs.most_common()),
        prompt_tokens=reader.prompt_tokens,
        completion_tokens=reader.completion_tokens,
        generation_s=reader.generation_s,
        grading_s=reader.grading_s,
    )


class _Reader:
    """The running sums of `estimates`."""

    def __init__(self, problems: int, samples_per_problem: int) -> None:
        self.raw = Tally(problems=problems, samples_per_problem=samples_per_problem)
        self.repaired = Tally(problems=problems, samples_per_problem=samples_per_problem)
        size = {"problems": problems, "samples_per_problem": samples_per_problem}
        self.matches, self.repaired_matches = MatchTally(**size), MatchTally(**size)
        self.edits: Counter[str] = Counter()
        self.repairs: Counter[str] = Counter()
        self.prompt_tokens = self.completion_tokens = 0
        self.generation_s = self.grading_s = 0.0
        self._drawn: dict[str, int] = {}
        """problem_id -> bit set of the sample indices read: small, and exact about doubles."""

    def add(self, sample: Sample) -> None:
        self._admit(sample)
        problem_id = sample.request.problem_id
        raw = _verdict(sample)
        self.raw.add(problem_id, raw)
        repaired = sample.repaired_grade if sample.repaired else raw
        self.repaired.add(problem_id, repaired)
        for tally, grade in ((self.matches, raw), (self.repaired_matches, repaired)):
            if isinstance(grade, Grade):
                tally.add(problem_id, grade.matches)
        self._count_edits(sample)
        if isinstance(sample.completion, Completion):
            self.prompt_tokens += sample.completion.prompt_tokens
            self.completion_tokens += sample.completion.completion_tokens
            self.generation_s += sample.completion.duration_s
        for grade in (sample.grade, sample.repaired_grade):
            if isinstance(grade, Grade):
                self.grading_s += grade.duration_s

    def _admit(self, sample: Sample) -> None:
        problem_id, index = sample.request.problem_id, sample.request.sample_index
        if not 0 <= index < self.raw.samples_per_problem:
            raise DataError(
                f"sample {index} of problem {problem_id!r}, but the run draws "
                f"{self.raw.samples_per_problem} a problem, from 0",
                hint="these samples belong to another run",
            )
        drawn = self._drawn.get(problem_id, 0)
        if drawn >> index & 1:
            raise DataError(
                f"sample {index} of problem {problem_id!r} stands there twice",
                hint="remove one of the two lines: a sample counts once",
            )
        self._drawn[problem_id] = drawn | 1 << index

    def _count_edits(self, sample: Sample) -> None:
        edits = set(sample.program.edits) if sample.program else set()
        self.edits.update(edits)
        if sample.repaired:
            # Whether `repaired` lists all steps or only its own, what it adds are the repairs.
            self.repairs.update(set(sample.repaired.edits) - edits)


def _verdict(sample: Sample) -> Grade | Failure | None:
    """The raw outcome. A repaired program that failed to grade is no fault of the raw line."""
    return sample.completion if isinstance(sample.completion, Failure) else sample.grade


def _interval(
    per_problem: Sequence[float], one_draw: bool, level: float, seed: int
) -> tuple[float, float, Literal["wilson", "bootstrap", "wilson over problems"]]:
    if one_draw:
        return *wilson(round(sum(per_problem)), len(per_problem), level), "wilson"
    low, high = cluster_bootstrap(per_problem, level, seed=seed)
    few = few_informative(per_problem)
    return low, high, "wilson over problems" if few else "bootstrap"


def _mean(passes: Sequence[int], value_of: Mapping[int, float]) -> float:
    # By count of passes, so that the order in which problems finished cannot move the last digit.
    counts = sorted(Counter(passes).items())
    return min(1.0, sum(value_of[c] * count for c, count in counts) / len(passes))


def _unfinished(outcomes: Outcomes) -> str:
    parts = ((outcomes.infra, "infra"), (outcomes.missing, "missing"))
    return ", ".join(f"{count} {name}" for count, name in parts if count)
