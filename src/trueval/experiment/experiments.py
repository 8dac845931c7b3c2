"""An experiments file: many runs, each with what it changes of the settings at the top."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trueval.config import RunConfig, Section, checked, lay, plain_task, read_yaml, validate
from trueval.errors import ConfigError, did_you_mean
from trueval.experiment.search import Point, SweepConfig, listed
from trueval.types import digest_of

LONGEST_NAME = 120
"""Bytes: a folder's name may have 255, and what goes into it needs some."""


class _Entry(Section):
    """What an experiment has beside the settings of a run."""

    name: str | None = None
    description: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One run of the file."""

    name: str
    description: str
    config: RunConfig
    point: Point = field(default_factory=dict)
    """What the sweep set; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """An experiment of the file, before the sweep."""

    name: str
    description: str
    content: Mapping[str, Any]
    """Settings of a run as plain data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiments:
    """A file that was read and checked."""

    bases: tuple[Base, ...]
    sweep: SweepConfig | None
    where: str

    @property
    def tried(self) -> int:
        """How many configurations will have been tried when all have run."""
        return len(self.bases) * (self.sweep.configurations if self.sweep else 1)

    @property
    def listed(self) -> tuple[Experiment, ...] | None:
        """Every run in order; None when scores decide what is tried."""
        if self.sweep is not None and self.sweep.search == "tpe":
            return None
        points = listed(self.sweep) if self.sweep else [{}]
        return tuple(self.at(base, point) for base in self.bases for point in points)

    def corner(self, base: Base) -> Experiment:
        """A run of an experiment with the first value, or the low end, of all that is swept."""
        return self.at(base, _ends(self.sweep)[0] if self.sweep else {})

    def at(self, base: Base, point: Point) -> Experiment:
        """The run of an experiment at a point of the sweep."""
        content = copy.deepcopy(dict(base.content))
        for key, value in point.items():
            lay(content, key.split("."), value)
        name = _named(base.name, point)
        content["name"] = name
        if self.sweep is not None:
            content["tried"] = self.tried
        config = validate(content, where=f"{self.where}, experiment {name}")
        return Experiment(name=name, description=base.description, config=config, point=point)


def is_experiments(file: Path | None) -> bool:
    """Whether a file holds several runs: it has `experiments` or a `sweep`."""
    return file is not None and not {"experiments", "sweep"}.isdisjoint(read_yaml(file))


def load_experiments(file: Path, overrides: Mapping[str, Any]) -> Experiments:
    """The runs of a file, all checked; `overrides` (`a.b` -> value) hold for every one of them.

    Raises `ConfigError` for a key or value that cannot be meant, for two runs of one name, and for
    a file of which nothing is enabled.
    """
    return parse_experiments(read_yaml(file), file, overrides)


def one_each(key: str, values: Sequence[str], overrides: Mapping[str, Any]) -> Experiments:
    """One run for each value of a setting, all else alike: what `--length oracle,search` asks for.

    Raises as `load_experiments` does.
    """
    rest = {name: value for name, value in overrides.items() if name != key}
    start = f"{rest.get('task', RunConfig.model_fields['task'].default)}"
    same = digest_of(rest)[:8]
    entries = []
    for value in values:
        entry: dict[str, Any] = {"name": f"{Path(start).stem}-{value.replace(':', '-')}-{same}"}
        lay(entry, key.split("."), value)
        entries.append(entry)
    return parse_experiments({"experiments": entries}, Path("the command line"), rest)


def parse_experiments(
    given: Mapping[str, Any], file: Path, overrides: Mapping[str, Any]
) -> Experiments:
    """The runs of a file that was read already. Raises as `load_experiments` does."""
    content = plain_task(given, where=str(file))
    entries = content.pop("experiments", None)
    sweep = _sweep(content.pop("sweep", None), str(file))
    description = str(content.pop("description", ""))
    if "name" in overrides and entries:
        raise ConfigError("--name is for one run", hint=f"the names of these stand in {file}")
    defaults = _over(content, overrides)
    bases = []
    for number, entry in enumerate(_entries(entries, file), 1):
        about, settings = _parted(entry, where=f"{file}, experiment {number}")
        if not about.enabled:
            continue
        merged = _over(_merged(defaults, settings), overrides)
        if sweep is not None:
            merged.setdefault("split", "dev")
        name = about.name or defaults.get("name") or f"{file.stem}-{number}"
        bases.append(
            Base(name=str(name), description=about.description or description, content=merged)
        )
    if not bases:
        raise ConfigError(f"no experiment in {file} is enabled", hint="enabled: true")
    found = Experiments(bases=tuple(bases), sweep=sweep, where=str(file))
    _check(found)
    return found


def _entries(entries: Any, file: Path) -> list[Mapping[str, Any]]:
    if entries is None:
        return [{}]  # a sweep of the settings at the top
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        hint = "experiments:\n    - name: greedy\n      sampling: {temperature: 0}"
        raise ConfigError(f"`experiments` in {file} is no list of settings", hint=hint)
    return entries


def _parted(entry: Mapping[str, Any], *, where: str) -> tuple[_Entry, dict[str, Any]]:
    own = {key: value for key, value in entry.items() if key in _Entry.model_fields}
    others = {key: value for key, value in entry.items() if key not in own}
    settings = plain_task(others, where=where)
    for key in settings:
        if key not in RunConfig.model_fields:
            known = [*_Entry.model_fields, *RunConfig.model_fields]
            raise ConfigError(f"unknown key {key!r} in {where}", hint=did_you_mean(key, known))
    return checked(_Entry, own, where=where), settings


def _sweep(given: Any, where: str) -> SweepConfig | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"`sweep` in {where} is no settings", hint="sweep: {over: {samples: [1, 5]}}"
        )
    return checked(SweepConfig, given, where=f"{where}, sweep")


def _check(found: Experiments) -> None:
    """Every run is built once, so that a mistake in the last is found before the first."""
    runs = found.listed
    if runs is None:
        assert found.sweep is not None
        runs = _corners(found, found.sweep)
    seen: set[tuple[str, str]] = set()
    for run in runs:
        if (run.config.output, run.name) in seen:
            raise ConfigError(
                f"two experiments in {found.where} are called {run.name!r}",
                hint="each run has a folder of its name: give each another `name`",
            )
        seen.add((run.config.output, run.name))


def _corners(found: Experiments, sweep: SweepConfig) -> tuple[Experiment, ...]:
    """A run of each base, after each value and end of a range was tried beside the first ones."""
    for base in found.bases:
        for point in _ends(sweep):
            found.at(base, point)
    return tuple(map(found.corner, found.bases))


def _ends(sweep: SweepConfig) -> list[Point]:
    """Each value and end of a range beside the first ones of the other keys."""
    ends = {k: v if isinstance(v, tuple) else (v.low, v.high) for k, v in sweep.over.items()}
    first = {key: values[0] for key, values in ends.items()}
    return [{**first, key: value} for key, values in ends.items() for value in values]


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _over(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(content)
    for key, value in overrides.items():
        lay(found, key.split("."), value)
    return found


def _named(base: str, point: Point) -> str:
    """`base--temperature=0.2`: a folder that says what the sweep set, and stays when it grows."""
    if not point:
        return base
    name = f"{base}--{'-'.join(_pair(key, value) for key, value in point.items())}"
    return name if len(name.encode()) <= LONGEST_NAME else f"{base}--{digest_of(dict(point))[:8]}"


def _pair(key: str, value: Any) -> str:
    text = str(value) if isinstance(value, str | int | float) else digest_of(value)[:8]
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in text)
    # Two values may differ in what no folder can hold alone.
    unlike = "" if plain == text or not isinstance(value, str) else digest_of(value)[:4]
    return f"{key.rsplit('.', 1)[-1]}={plain}{unlike}"
