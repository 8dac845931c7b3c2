"""Which settings a sweep tries: every combination, draws at random, or what Optuna suggests."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, model_validator

from trueval.config import Section
from trueval.errors import ConfigError, MissingExtraError

Point = Mapping[str, Any]
"""Dotted key -> value."""

TRIALS = 20
DIGITS = 4
"""Of a number drawn from a range: enough to tell two apart, few enough for a run's name."""


class Range(Section):
    """Numbers from `low` to `high`, both included; whole ones when both are."""

    low: int | float
    high: int | float
    log: bool = False
    """Draw evenly in the logarithm."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"no range: low {self.low}, high {self.high}, log {self.log}")
        return self


class SweepConfig(Section):
    """The `sweep` of an experiments file."""

    over: Mapping[str, tuple[Any, ...] | Range]
    """Dotted key of a run -> the values to try, or a range."""
    search: Literal["grid", "random", "tpe"] = "grid"
    trials: Annotated[int, Field(ge=1)] | None = None
    """How many configurations to try; None: all of a grid, else 20."""
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _can_be_searched(self) -> SweepConfig:
        if not self.over:
            raise ValueError("nothing to sweep over; e.g. over: {sampling.temperature: [0.2, 0.8]}")
        for key, values in self.over.items():
            if key in ("name", "output", "split", "tried", "cache"):
                raise ValueError(f"{key!r} is no setting to sweep over")
            if isinstance(values, Range) and self.search == "grid":
                raise ValueError(f"{key}: a grid needs a list of values; `search: random` draws")
            if not values:
                raise ValueError(f"{key}: no values to try")
        if self.search == "grid" and self.trials is not None:
            raise ValueError("a grid tries every combination; `trials` is for random and tpe")
        return self

    @property
    def configurations(self) -> int:
        """How many configurations will be tried, at most."""
        combinations = math.prod(map(_count, self.over.values()))
        return combinations if self.search == "grid" else min(self.trials or TRIALS, combinations)


class Search(Protocol):
    """Proposes settings one after the other, and may learn from what they scored."""

    def ask(self) -> Point | None:
        """The next settings to try; None when all were."""
        ...

    def tell(self, score: float | None) -> None:
        """What the settings last asked for scored; None when they have no score."""
        ...


def make_search(sweep: SweepConfig | None) -> Search:
    """The search that a sweep asks for. Without one: the settings as they are, once."""
    if sweep is None:
        return _Listed([{}])
    return _Suggested(sweep) if sweep.search == "tpe" else _Listed(listed(sweep))


def just(point: Point) -> Search:
    """A search that tries one point."""
    return _Listed([point])


def listed(sweep: SweepConfig) -> list[Point]:
    """The settings of a grid or a random search, which need no scores to be known."""
    if sweep.search == "grid":
        values = [_values(found) for found in sweep.over.values()]
        return [dict(zip(sweep.over, row, strict=True)) for row in itertools.product(*values)]
    draw = random.Random(sweep.seed)
    found: list[Point] = []
    # A repeat would be the same run under the same name; small spaces are exhausted.
    for _ in range(100 * sweep.configurations):
        point = {key: _drawn(values, draw) for key, values in sweep.over.items()}
        if point not in found:
            found.append(point)
        if len(found) == sweep.configurations:
            break
    return found


class _Listed:
    """Settings that are known beforehand."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points: Iterator[Point] = iter(points)

    def ask(self) -> Point | None:
        return next(self._points, None)

    def tell(self, score: float | None) -> None:
        """Nothing is learnt."""


class _Suggested:
    """Optuna's TPE. The same seed and scores suggest the same, so a sweep can be gone on with."""

    def __init__(self, sweep: SweepConfig) -> None:
        try:
            import optuna
        except ImportError as error:
            raise MissingExtraError("optuna", extra="sweep", needed_for="search: tpe") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sweep = sweep
        self._study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=sweep.seed)
        )
        self._trial: Any = None
        self._scores: list[tuple[Point, float | None]] = []
        self._point: Point = {}
        self._failed = optuna.trial.TrialState.FAIL

    def ask(self) -> Point | None:
        for _ in range(100 * self._sweep.configurations):
            if len(self._scores) >= self._sweep.configurations:
                return None
            self._trial = self._study.ask()
            self._point = {
                key: self._suggested(key, values) for key, values in self._sweep.over.items()
            }
            known = [score for point, score in self._scores if point == self._point]
            if not known:
                return self._point
            self._finish(known[0])  # asked for again: it knows already
        return None

    def tell(self, score: float | None) -> None:
        self._scores.append((self._point, score))
        self._finish(score)

    def _finish(self, score: float | None) -> None:
        if score is None:
            self._study.tell(self._trial, state=self._failed)
        else:
            self._study.tell(self._trial, score)

    def _suggested(self, key: str, values: tuple[Any, ...] | Range) -> Any:
        if not isinstance(values, Range):
            # By place: values such as lists are no categories of Optuna's.
            return values[self._trial.suggest_categorical(key, list(range(len(values))))]
        if isinstance(values.low, int) and isinstance(values.high, int):
            return self._trial.suggest_int(key, values.low, values.high, log=values.log)
        drawn = self._trial.suggest_float(key, values.low, values.high, log=values.log)
        return _rounded(drawn, values)


def _count(values: tuple[Any, ...] | Range) -> int:
    """How many values there are to try: of fractions, more than anyone will."""
    if not isinstance(values, Range):
        return len(values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return values.high - values.low + 1
    return 10**9


def _values(found: tuple[Any, ...] | Range) -> tuple[Any, ...]:
    if isinstance(found, Range):  # pydantic has refused it
        raise ConfigError("a grid needs a list of values", hint="search: random")
    return found


def _drawn(values: tuple[Any, ...] | Range, draw: random.Random) -> Any:
    if not isinstance(values, Range):
        return draw.choice(values)
    low, high = values.low, values.high
    if values.log:
        found = math.exp(draw.uniform(math.log(low), math.log(high)))
    elif isinstance(low, int) and isinstance(high, int):
        return draw.randint(low, high)
    else:
        found = draw.uniform(low, high)
    if isinstance(low, int) and isinstance(high, int):
        return min(high, max(low, round(found)))
    return _rounded(found, values)


def _rounded(value: float, values: Range) -> float:
    return min(float(values.high), max(float(values.low), float(f"{value:.{DIGITS}g}")))
