"""Failures counted: by class, and by kind of problem, with intervals, and two examples of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from trueval.score.intervals import cluster_bootstrap, few_informative, wilson
from trueval.score.taxonomy import CLASSES, categories, category_names, failure_class
from trueval.types import Completion, Grade, Problem, Sample

EXAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of all samples."""

    name: str
    count: int
    of: int
    low: float
    high: float
    method: str
    cut: int = 0
    """Of `count`, those whose text was cut at max_tokens."""


@dataclass(slots=True)
class FailureTally:
    """Counts failures as samples go by, in memory that grows with problems and not with samples."""

    problems: Mapping[str, Problem] = field(default_factory=dict)
    """problem_id -> problem, for stubs and categories; those that are not there are in none."""
    repaired: bool = False
    examples: dict[str, list[Sample]] = field(default_factory=dict)
    """Class -> the first few samples of it."""
    _graded: Counter[str] = field(default_factory=Counter)
    _passed: Counter[str] = field(default_factory=Counter)
    _failed: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _cut: Counter[str] = field(default_factory=Counter)

    def watching(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The same samples, counted on their way."""
        for sample in samples:
            self.add(sample)
            yield sample

    def add(self, sample: Sample) -> None:
        """Count one sample; one without a verdict is no failure of the model's."""
        use_repaired = self.repaired and sample.repaired is not None
        grade = sample.repaired_grade if use_repaired else sample.grade
        if not isinstance(grade, Grade) or not isinstance(sample.completion, Completion):
            return
        name = sample.request.problem_id
        problem = self.problems.get(name)
        self._graded[name] += 1
        self._passed[name] += grade.passed
        found = failure_class(
            sample, entry_point=problem.entry_point if problem else "", repaired=self.repaired
        )
        if found is None:
            return
        self._failed[found][name] += 1
        self._cut[found] += sample.completion.finish_reason == "length"
        kept = self.examples.setdefault(found, [])
        # Two of one problem would show the same thing twice.
        if len(kept) < EXAMPLES and all(one.request.problem_id != name for one in kept):
            kept.append(sample)

    @property
    def graded(self) -> int:
        """Samples with a verdict."""
        return self._graded.total()

    @property
    def failed(self) -> int:
        """Those that did not pass: the sum over all classes."""
        return sum(counts.total() for counts in self._failed.values())

    def classes(self) -> list[Share]:
        """Each class that occurs, most frequent first, as a share of all graded samples."""
        order = list(CLASSES)
        names = sorted(
            self._failed, key=lambda name: (-self._failed[name].total(), order.index(name))
        )
        return [
            self._share(name, self._failed[name], self._graded, cut=self._cut[name])
            for name in names
        ]

    def by_category(self) -> list[Share]:
        """The share that passes, by kind of problem; a problem may stand in several kinds."""
        members: dict[str, list[str]] = {name: [] for name in category_names()}
        for name in self._graded:
            if problem := self.problems.get(name):
                for kind in categories(problem):
                    members[kind].append(name)
        return [
            self._share(
                kind,
                Counter({name: self._passed[name] for name in names}),
                Counter({name: self._graded[name] for name in names}),
            )
            for kind, names in members.items()
            if names
        ]

    @staticmethod
    def _share(name: str, counts: Counter[str], of: Counter[str], *, cut: int = 0) -> Share:
        values = [counts[problem] / n for problem, n in of.items()]
        one_each = all(n == 1 for n in of.values())
        if one_each:
            (low, high), method = wilson(counts.total(), of.total()), "wilson"
        else:
            # Samples of one problem fail alike: the problem is what varies.
            low, high = cluster_bootstrap(values, resamples=2_000)
            method = "wilson over problems" if few_informative(values) else "bootstrap"
        return Share(
            name=name,
            count=counts.total(),
            of=of.total(),
            low=low,
            high=high,
            method=method,
            cut=cut,
        )
