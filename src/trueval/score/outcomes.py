"""What became of every sample, counted against a denominator that does not move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from trueval.errors import DataError
from trueval.types import VERDICTS, Failure, Grade, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Counts of what became of the samples of one run."""

    problems: int
    samples_per_problem: int
    verdicts: Mapping[Verdict, int]
    """verdict -> samples; every verdict is there, 0 included."""
    infra: int
    """Samples that something of ours or of the server's kept from a verdict."""
    missing: int
    """Samples not drawn or not graded yet."""
    rescued: int
    """Samples that timed out beside other work and got another verdict alone. They stand in
    `verdicts` too, so they are no part of the sum."""

    @property
    def total(self) -> int:
        """problems x samples per problem: the denominator."""
        return self.problems * self.samples_per_problem

    @property
    def graded(self) -> int:
        """Samples with a verdict."""
        return sum(self.verdicts.values())

    @property
    def passed(self) -> int:
        """Samples whose tests all held."""
        return self.verdicts["passed"]

    @property
    def complete(self) -> bool:
        """Whether every sample has a verdict, so that there is a headline score."""
        return self.infra == 0 and self.missing == 0

    def check(self) -> None:
        """Raise `DataError` unless problems x samples is the sum of all counts."""
        counts: dict[str, int] = {name: self.verdicts[name] for name in VERDICTS}
        counts |= {"infra": self.infra, "missing": self.missing}
        if sum(counts.values()) == self.total and min(counts.values()) >= 0:
            return
        parts = " + ".join(f"{count} {name}" for name, count in counts.items())
        raise DataError(
            f"outcomes do not add up: {self.problems} problems x {self.samples_per_problem} "
            f"samples = {self.total}, but {parts} = {sum(counts.values())}",
            hint="the samples hold other problems, or more draws a problem, than the run has",
        )

    def as_dict(self) -> dict[str, int]:
        """One flat object: each verdict, infra, missing, rescued, problems, samples_per_problem."""
        return {
            **{name: self.verdicts[name] for name in VERDICTS},
            "infra": self.infra,
            "missing": self.missing,
            "rescued": self.rescued,
            "problems": self.problems,
            "samples_per_problem": self.samples_per_problem,
        }


class Tally:
    """Counts outcomes as they come, in memory that grows with problems and not with samples."""

    def __init__(self, *, problems: int, samples_per_problem: int) -> None:
        if problems < 1 or samples_per_problem < 1:
            raise ValueError(f"nothing to count: {problems} problems x {samples_per_problem}")
        self.problems = problems
        self.samples_per_problem = samples_per_problem
        self._verdicts: Counter[Verdict] = Counter()
        self._seen: Counter[str] = Counter()
        """problem_id -> samples with a verdict or a failure."""
        self._passed: Counter[str] = Counter()
        """problem_id -> samples that passed."""
        self._infra = 0
        self._rescued = 0

    def add(self, problem_id: str, grade: Grade | Failure | None) -> None:
        """Count one sample. A `Failure` is infra; None is a sample still without a verdict.

        Raises `DataError` when the problem has had all its samples, or is one too many.
        """
        if grade is None:
            return  # Still owed: whatever is not counted is missing.
        self._admit(problem_id)
        if isinstance(grade, Failure):
            self._infra += 1
            return
        self._verdicts[grade.verdict] += 1
        self._passed[problem_id] += grade.passed
        self._rescued += grade.rescued

    @property
    def outcomes(self) -> Outcomes:
        """The counts so far, checked: samples not counted yet are `missing`."""
        verdicts: dict[Verdict, int] = {name: self._verdicts[name] for name in VERDICTS}
        total = self.problems * self.samples_per_problem
        found = Outcomes(
            problems=self.problems,
            samples_per_problem=self.samples_per_problem,
            verdicts=verdicts,
            infra=self._infra,
            missing=total - self._infra - sum(verdicts.values()),
            rescued=self._rescued,
        )
        found.check()
        return found

    def passes(self) -> list[int]:
        """How many samples of each problem passed, one entry a problem, in order of appearance.

        Problems that had no sample yet stand at the end, with 0.
        """
        known = [self._passed[problem_id] for problem_id in self._seen]
        return known + [0] * (self.problems - len(known))

    def _admit(self, problem_id: str) -> None:
        if problem_id not in self._seen and len(self._seen) == self.problems:
            raise DataError(
                f"sample of problem {problem_id!r}, but all {self.problems} problems of the run "
                "have samples already",
                hint="these samples belong to another run, or to a larger task",
            )
        if self._seen[problem_id] == self.samples_per_problem:
            raise DataError(
                f"more than {self.samples_per_problem} samples of problem {problem_id!r}",
                hint="a sample stands there twice, or the run drew more samples a problem",
            )
        self._seen[problem_id] += 1
