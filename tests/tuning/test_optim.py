from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from trueval.errors import ConfigError  # noqa: E402
from trueval.tuning.net import Shape, initial  # noqa: E402
from trueval.tuning.optim import Optimisation, Optimiser, orthogonal  # noqa: E402

SHAPE = Shape(vocabulary=40, hidden=16, layers=2, heads=4, kv_heads=2, mlp=24)


def gradients(step: int) -> dict[str, Any]:
    random = torch.Generator().manual_seed(step)
    return {n: torch.randn(w.shape, generator=random) for n, w in initial(SHAPE, 0).items()}


@pytest.mark.parametrize(("rows", "columns"), [(32, 32), (16, 64), (64, 16)])
def test_newton_schulz_brings_all_singular_values_near_one(rows: int, columns: int) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, rows, columns)
    made = orthogonal(matrices).float()
    values = torch.linalg.svdvals(made)
    # A few of a square matrix's begin at almost nothing.
    assert values.max() < 1.3
    assert values.median() > 0.65
    aligned = (made * matrices).sum((1, 2)) / torch.linalg.matrix_norm(matrices, "nuc")
    assert (aligned > 0.6).all()


def test_fused_matrices_are_made_orthogonal_part_by_part() -> None:
    master = initial(SHAPE, 0)
    before = master["1.qkv"].clone()
    optimisation = Optimisation(Optimiser(decay=0.0, rate=1.0), master, SHAPE)
    optimisation.step(master, gradients(0), 1.0)
    moved = before - master["1.qkv"]
    for part, rows in zip(moved.split([16, 8, 8]), (16, 8, 8), strict=True):
        values = torch.linalg.svdvals(part) / (0.2 * max(rows, 16) ** 0.5)
        assert values.max() < 1.3
        assert values.median() > 0.6


def test_adamw_is_pytorchs() -> None:
    settings = Optimiser(name="adamw", rate=0.01, rest_rate=0.01, decay=0.1, clip=0.0)
    master = initial(SHAPE, 0)
    theirs = {name: weight.clone().requires_grad_() for name, weight in master.items()}
    matrices = [weight for weight in theirs.values() if weight.ndim == 2]
    rest = [weight for weight in theirs.values() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95))
    ours = Optimisation(settings, master, SHAPE)
    for step in range(4):
        for name, gradient in gradients(step).items():
            theirs[name].grad = gradient
        reference.step()
        ours.step(master, gradients(step), 1.0)
    for name, weight in master.items():
        torch.testing.assert_close(weight, theirs[name].detach(), rtol=1e-5, atol=1e-6, msg=name)


def test_long_gradients_are_shortened() -> None:
    made = gradients(0)
    master = initial(SHAPE, 0)
    norm = Optimisation(Optimiser(clip=1.0), master, SHAPE).step(master, made, 1.0)
    squares = sum(float(g.square().sum()) for g in gradients(0).values())
    assert norm == pytest.approx(squares**0.5, rel=1e-4)
    assert sum(float(g.square().sum()) for g in made.values()) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("course", ["wsd", "cosine"])
def test_the_rate_goes_up_and_then_down_to_nothing(course: str) -> None:
    factors = [Optimiser(course=course).factor(i / 200, 1000 + i) for i in range(201)]  # type: ignore[arg-type]
    top = factors.index(max(factors))
    assert factors[0] < 0.1
    assert max(factors) > 0.99
    assert factors[-1] == pytest.approx(0, abs=1e-9)
    assert all(a <= b for a, b in pairwise(factors[: top + 1]))
    assert all(a >= b - 1e-12 for a, b in pairwise(factors[top:]))


def test_a_loaded_state_goes_on_as_if_never_left() -> None:
    straight, broken = initial(SHAPE, 0), initial(SHAPE, 0)
    one = Optimisation(Optimiser(), straight, SHAPE)
    for step in range(4):
        one.step(straight, gradients(step), 1.0)
    first = Optimisation(Optimiser(), broken, SHAPE)
    for step in range(2):
        first.step(broken, gradients(step), 1.0)
    second = Optimisation(Optimiser(), broken, SHAPE)
    second.load(first.state())
    for step in range(2, 4):
        second.step(broken, gradients(step), 1.0)
    assert all((straight[name] == broken[name]).all() for name in straight)


def test_an_unknown_optimiser_is_said() -> None:
    with pytest.raises(ConfigError, match="muon or adamw"):
        Optimiser(name="sgd")  # type: ignore[arg-type]


def test_the_first_steps_are_small_however_much_of_a_clock_is_over() -> None:
    factors = [Optimiser().factor(0.3, step) for step in range(60)]
    assert factors[:2] == pytest.approx([0.02, 0.04])
    assert factors[49:] == [1.0] * 11
    assert Optimiser(warm_up=0.0).factor(0.3, 0) == 1.0


def test_adamw_has_a_rate_for_matrices_and_one_for_the_rest() -> None:
    master = initial(SHAPE, 0)
    before = {name: weight.clone() for name, weight in master.items()}
    settings = Optimiser(name="adamw", rate=0.01, rest_rate=0.0)
    Optimisation(settings, master, SHAPE).step(master, gradients(0), 1.0)
    moved = {name for name, weight in master.items() if not torch.equal(weight, before[name])}
    assert moved == {n for n, w in master.items() if w.ndim == 2 and n != "embed"}
