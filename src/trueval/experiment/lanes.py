"""Which runs of a file go on side by side: those whose models do not compute in the same place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from trueval.config import RunConfig
from trueval.errors import TruevalError
from trueval.experiment.experiments import Base, Experiment, Experiments
from trueval.experiment.plan import make_backend
from trueval.experiment.search import Search, SweepConfig, just, make_search
from trueval.types import digest_of, to_json

HERE = "this machine"
AT_A_TIME = 4
"""Runs that ask one server together: enough that it is never idle while one of them ends."""
OF_AN_ENGINE = ("backend", "model", "options")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What has to be done in order: a run, or a search that learns from one run for the next."""

    number: int
    """Its place in the file."""
    base: Base
    first: Experiment
    """The run; of a search, one that it may try."""
    sweep: SweepConfig | None = None
    """What is searched; None for one run."""

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return self.base.name if self.sweep else self.first.name

    def search(self) -> Search:
        """What it tries."""
        return make_search(self.sweep) if self.sweep else just(self.first.point)

    def varies(self, *sections: str) -> bool:
        """Whether its runs differ in one of these sections of the settings."""
        over = self.sweep.over if self.sweep else ()
        return any(key.partition(".")[0] in sections for key in over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Units that want the same place, in groups that share a model, one group after the other."""

    place: str
    """`this machine`, or the address of a server elsewhere."""
    groups: tuple[tuple[Unit, ...], ...]

    @property
    def here(self) -> bool:
        """Whether its models compute on this machine."""
        return self.place == HERE

    @property
    def width(self) -> int:
        """How many units of a group go on at a time."""
        # A model on this machine is slowed by grading beside it, and its batches by each other.
        return 1 if self.here else AT_A_TIME


def lanes(experiments: Experiments) -> tuple[Lane, ...]:
    """Every unit of a file, by the place that it wants; within one, a model is loaded once."""
    found: dict[str, dict[str, list[Unit]]] = {}
    for unit in _units(experiments):
        groups = found.setdefault(_place(unit), {})
        groups.setdefault(engine_key(unit.first.config), []).append(unit)
    return tuple(
        Lane(place=place, groups=tuple(map(tuple, groups.values())))
        for place, groups in found.items()
    )


def side_by_side(found: tuple[Lane, ...]) -> bool:
    """Whether anything goes on beside anything else."""
    return len(found) > 1 or any(
        len(group) > 1 and lane.width > 1 for lane in found for group in lane.groups
    )


def engine_key(config: RunConfig) -> str:
    """What runs must have in common to share a loaded model."""
    return digest_of([config.backend, config.model, to_json(config.options)])


def _units(experiments: Experiments) -> Iterator[Unit]:
    runs = experiments.listed
    if runs is None:
        for number, base in enumerate(experiments.bases):
            first = experiments.corner(base)
            yield Unit(number=number, base=base, first=first, sweep=experiments.sweep)
        return
    each = len(runs) // len(experiments.bases)
    for number, run in enumerate(runs):
        yield Unit(number=number, base=experiments.bases[number // each], first=run)


def _place(unit: Unit) -> str:
    """Where a unit's model computes: an address for a server that is not on this machine."""
    config = unit.first.config
    # A search that tries models may come to one that computes here. And without an address there
    # is no server; some backends take long to be made.
    if unit.varies(*OF_AN_ENGINE) or "base_url" not in config.options:
        return HERE
    try:
        _, backend = make_backend(config)
    except TruevalError:
        return HERE  # its run says what is wrong
    address = urlsplit(str(getattr(backend, "base_url", "")))
    if backend.shares_cores or not address.netloc:
        return HERE
    # Whoever asks it: without user and password.
    return urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2]))
