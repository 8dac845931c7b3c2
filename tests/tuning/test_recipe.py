from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from trueval.errors import ConfigError

pytest.importorskip("torch")

from trueval.tuning.checks import RANGES
from trueval.tuning.masking import Mixture
from trueval.tuning.net import Shape
from trueval.tuning.optim import Optimiser
from trueval.tuning.recipe import Recipe, load_recipe


def test_a_recipe_can_be_changed_by_key() -> None:
    made = load_recipe("test", changes=("optimiser.rate=1e-3", "shape.layers=2", "seed=7"))
    assert (made.optimiser.rate, made.shape.layers, made.seed) == (1e-3, 2, 7)
    assert made.name == "test"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shape: {hiden: 3}", "unknown key 'hiden'"),
        ("rate: 3", "unknown key 'rate'"),
        ("shape: 3", "no mapping"),
        ("steps: 3", "shape"),
        ("[1]", "no mapping"),
        ("shape: {", "no YAML"),
        ("\0", "no YAML"),
    ],
)
def test_what_cannot_be_meant_is_said(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(path))


def test_an_unknown_recipe_gets_a_guess() -> None:
    with pytest.raises(ConfigError, match="did you mean 'small'"):
        load_recipe("smal")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("steps", "changes nothing"),
        ("steps.x=1", "steps has no parts"),
        ("seed.x=1", "seed is a whole number, not {'x': 1}"),
        ("steps=many", "steps is a whole number"),
        ("steps=2.5", "steps is a whole number"),
        ("steps=true", "steps is a whole number"),
        ("steps=-3", "steps is from 1"),
        ("steps=[", "no YAML"),
        ("name=3", "name is text"),
        ("evaluate_every=-1", "evaluate_every is from 0 to 1"),
        ("evaluate_every=.nan", "evaluate_every is a number"),
        ("pass_tokens=2521", "too few divisors"),
        ("cuda_pass_tokens=40009", "too few divisors"),
        ("shape.heads=0", "heads is from 1"),
        ("shape.heads=3", "do not fit"),
        ("shape.context=8", "context is from 32"),
        ("mixture.spans=7", "spans is from 0 to 1"),
        ("mixture.edits=0.95", "together <= 1"),
        ("optimiser.name=sgd", "unknown name 'sgd'"),
        ("optimiser.betas=0.9", "a list of 2 numbers"),
        ("optimiser.betas=[0.9, 1]", "betas is from 0 to 0.99"),
        ("optimiser.rate=-1e-3", "rate is from 0"),
        ("optimiser=muon", "no mapping"),
        ("shape=", "no mapping"),
    ],
)
def test_a_change_that_means_nothing_is_said(change: str, message: str) -> None:
    with pytest.raises(ConfigError) as said:
        load_recipe("test", changes=(change,))
    assert message in str(said.value)


def test_whole_numbers_may_be_written_as_yaml_does_not_read_them() -> None:
    made = load_recipe("test", changes=("steps=1e4", "optimiser.betas=[0.8, 9e-1]"))
    assert (made.steps, made.optimiser.betas) == (10_000, (0.8, 0.9))
    assert isinstance(made.steps, int)


def test_every_number_of_a_recipe_has_a_range() -> None:
    numbers = {
        each.name
        for kind in (Recipe, Shape, Mixture, Optimiser)
        for each in fields(kind)
        if each.type in ("int", "float", "tuple[float, float]")
    }
    assert numbers == set(RANGES)


@pytest.mark.parametrize(
    ("batch", "workers", "on_gpu", "expected"),
    [
        (10080, 1, False, (2520, 4)),
        (10080, 2, False, (2520, 2)),
        (10080, 1, True, (10080, 1)),
        (10080, 4, True, (2520, 1)),
        (161280, 1, True, (80640, 2)),
        (161280, 8, True, (20160, 1)),
        (2520, 1, True, (2520, 1)),
        (5040, 3, True, (1680, 1)),
        (10007, 1, True, (10000, 1)),
    ],
)
def test_a_step_is_the_recipes_on_any_device(
    batch: int, workers: int, on_gpu: bool, expected: tuple[int, int]
) -> None:
    recipe = load_recipe("test", changes=(f"batch_tokens={batch}",))
    assert recipe.passes(workers=workers, on_gpu=on_gpu) == expected


def test_a_step_that_workers_cannot_share_is_said() -> None:
    recipe = load_recipe("test", changes=("batch_tokens=3600",))
    with pytest.raises(ConfigError, match="passes of 2520 tokens make it 2520"):
        recipe.passes(workers=1, on_gpu=False)
    with pytest.raises(ConfigError, match="cannot share a step"):
        recipe.passes(workers=300, on_gpu=True)
