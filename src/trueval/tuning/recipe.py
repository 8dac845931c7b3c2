"""A recipe: everything that makes a training what it is, in one YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from trueval.errors import ConfigError, did_you_mean
from trueval.tuning.batches import divides_well
from trueval.tuning.checks import made
from trueval.tuning.masking import Mixture
from trueval.tuning.net import Shape
from trueval.tuning.optim import Optimiser

TOLERANCE = 0.1
"""The share by which a step may differ from `batch_tokens`: a rate belongs to its step's size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is trained."""

    name: str
    shape: Shape
    mixture: Mixture = field(default_factory=Mixture)
    optimiser: Optimiser = field(default_factory=Optimiser)
    pass_tokens: int = 2520
    """Tokens that go through the network at once, at most; its divisors are the lengths of rows."""
    cuda_pass_tokens: int = 80640
    """The same on a GPU."""
    batch_tokens: int = 10080
    """Tokens of a step, of all workers together."""
    steps: int = 6000
    """Where neither `--steps` nor `--minutes` says how long."""
    seed: int = 0
    evaluate_every: float = 0.05
    """Share of the training between two evaluations."""
    evaluate_lines: int = 200
    """Held-out lines to be put back in each."""
    patience: int = 0
    """Evaluations without a better validation loss after which the rate goes down to the end at
    once; 0: the course is run as it is."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    def passes(self, *, workers: int, on_gpu: bool) -> tuple[int, int]:
        """Tokens of a pass, and passes of each worker in a step.

        Raises `ConfigError` where the step would not be the recipe's.
        """
        share, most = self.batch_tokens // workers, self.pass_tokens
        size = min(self.cuda_pass_tokens if on_gpu else most, share)
        while size > 0 and not divides_well(size, self.shape.context):
            size -= 1
        count = max(1, round(self.batch_tokens / (max(size, 1) * workers)))
        real = count * size * workers
        if abs(real - self.batch_tokens) > TOLERANCE * self.batch_tokens:
            raise ConfigError(
                f"recipe {self.name}: {workers} workers cannot share a step of batch_tokens"
                f" {self.batch_tokens}: passes of {size} tokens make it {real}",
                hint=f"--set batch_tokens={real}" if real else "fewer workers",
            )
        return size, count


def recipe_of(found: Mapping[str, Any], *, where: str) -> Recipe:
    """The recipe in a mapping. Raises `ConfigError` for unknown keys and impossible values."""
    recipe: Recipe = made(Recipe, found, where)
    for key in ("pass_tokens", "cuda_pass_tokens"):
        size = getattr(recipe, key)
        if not divides_well(size, recipe.shape.context):
            raise ConfigError(
                f"{where}: {key} {size} has too few divisors, and those are the lengths of rows",
                hint=f"--set {key}=2520, or a multiple of it",
            )
    if recipe.mixture.ends + recipe.mixture.edits > 1:
        raise ConfigError(f"{where}: mixture: ends and edits are shares of all rows, together <= 1")
    return recipe


def load_recipe(name: str, *, changes: tuple[str, ...] = ()) -> Recipe:
    """A recipe of ours by name, or of a YAML file, with changes like `optimiser.rate=3e-3`."""
    ours = {
        each.name.removesuffix(".yml"): each
        for each in (files("trueval.tuning") / "recipes").iterdir()
        if each.name.endswith(".yml")
    }
    path: Any = ours.get(name) or Path(name)
    if not path.is_file():
        raise ConfigError(f"no recipe {name!r}", hint=did_you_mean(name, ours))
    try:
        found = _yaml(path.read_text(encoding="utf-8"), f"recipe {name}")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {name} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"recipe {name}: no mapping of keys to values")
    found.setdefault("name", Path(name).stem)
    for change in changes:
        _change(found, change)
    return recipe_of(found, where=f"recipe {name}")


def _change(found: dict[str, Any], change: str) -> None:
    path, sign, value = change.partition("=")
    if not sign:
        raise ConfigError(f"--set {change!r} changes nothing", hint="--set optimiser.rate=0.003")
    *outer, last = path.split(".")
    for key in outer:
        found = found.setdefault(key, {})
        if not isinstance(found, dict):
            raise ConfigError(
                f"--set {change}: {key} has no parts", hint=f"--set {key}=VALUE sets it"
            )
    found[last] = _yaml(value, f"--set {change}")


def _yaml(text: str, where: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{where} is no YAML: {said}") from None
