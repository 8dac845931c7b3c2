"""The rules against the slow reference, and what holds for each of them whatever the model says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor  # noqa: E402

from tests.diffusion import dense  # noqa: E402
from trueval.diffusion.noise import Noise  # noqa: E402
from trueval.diffusion.odds import Odds  # noqa: E402
from trueval.diffusion.rules import RULES, Draws, Step, draw  # noqa: E402
from trueval.diffusion.settings import SAMPLERS, SCHEDULED, Settings  # noqa: E402

MASK, VOCABULARY, NEVER = 0, 12, (1, 5)
PARALLEL = ("p2", "p2-self", "threshold", "factor")
CHOICES: list[dict[str, Any]] = [
    *({"sampler": name} for name in SAMPLERS),
    *({"sampler": name, "published_times": True} for name in SCHEDULED),
    *({"sampler": name, "remask_temperature": 0.3} for name in SCHEDULED),
    *({"sampler": name, "mode": "parallel"} for name in PARALLEL),
    {"sampler": "p2", "mode": "parallel", "factor": 0.7},
    {"sampler": "threshold", "threshold": 0.3},
    {"sampler": "factor", "factor": 2.5},
    {"sampler": "remdm", "remask_cap": 0.5},
]
Model = Callable[[Tensor], Tensor]


def model_of(count: int, seed: int, *, sharp: float = 3.0, tied: bool = False) -> Model:
    """Logits of each position that depend on all tokens of the gap."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(count, VOCABULARY, generator=generator)
    seen = torch.randn(count, VOCABULARY, VOCABULARY, generator=generator)

    def logits(gap: Tensor) -> Tensor:
        mixed = base + seen[torch.arange(count), gap].sum(0) / count**0.5
        # Ties within a position, and positions that are all alike.
        return (mixed[:1].expand(count, -1) * 2).round() if tied else mixed * sharp

    return logits


def run(
    model: Model,
    count: int,
    noise: Noise,
    choice: Settings,
    *,
    tell: Callable[..., None] | None = None,
) -> list[Tensor]:
    """The gap after each step, with forwards only where the rule says that they are needed."""
    rule, gap, history = RULES[choice.sampler], torch.full((count,), MASK), []
    for index in range(choice.steps):
        now = Step(
            index=index,
            steps=choice.steps,
            tokens=gap,
            masked=gap == MASK,
            mask_id=MASK,
            noise=noise,
            settings=choice,
        )
        if rule.may_change(now).any():
            at = rule.reads(now).nonzero()[:, 0]
            after = rule.apply(now, _draws(model, now, at, choice))
            if tell:
                tell(now, after)
            gap = after
        history.append(gap)
    return history


def _draws(model: Model, now: Step, at: Tensor, choice: Settings) -> Draws:
    if not len(at):
        nothing = torch.full(now.tokens.shape, torch.nan)
        return Draws(
            tokens=now.tokens, confidence=nothing, margin=nothing, entropy=nothing, own=nothing
        )
    rule = RULES[choice.sampler]
    odds = Odds.of(
        model(now.tokens)[at],
        temperature=choice.temperature,
        top_k=choice.top_k,
        top_p=choice.top_p,
        never=(MASK, *NEVER),
        own=now.tokens[at] if rule.needs_own else None,
        entropy=rule.needs_entropy,
    )
    return draw(now, at, odds)


def test_every_sampler_has_a_rule_and_every_rule_a_source() -> None:
    assert tuple(RULES) == SAMPLERS
    assert all(rule.name == name and rule.source for name, rule in RULES.items())


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@settings(max_examples=6, deadline=None)
@given(
    count=st.integers(1, 9),
    steps=st.integers(1, 20),
    temperature=st.sampled_from([0.0, 0.6, 1.5]),
    top_p=st.sampled_from([0.95, 1.0]),
    tied=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_a_rule_fills_as_the_slow_reference_does(
    choice: dict[str, Any],
    count: int,
    steps: int,
    temperature: float,
    top_p: float,
    tied: bool,
    seed: int,
) -> None:
    picked = Settings(**choice, steps=steps, temperature=temperature, top_p=top_p)
    noise, model = Noise(seed, "rules", 0), model_of(count, seed, tied=tied)
    fast = run(model, count, noise, picked)
    slow = dense.fill(model, count, noise, picked, mask=MASK, never=NEVER)
    assert [gap.tolist() for gap in fast] == [gap.tolist() for gap in slow]
    assert not torch.isin(fast[-1], torch.tensor([MASK, *NEVER])).any()


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@settings(max_examples=3, deadline=None)
@given(count=st.integers(1, 9), steps=st.integers(1, 20), seed=st.integers(0, 10**6))
def test_a_step_touches_only_what_it_announced(
    choice: dict[str, Any], count: int, steps: int, seed: int
) -> None:
    picked = Settings(**choice, steps=steps)
    rule = RULES[picked.sampler]

    def check(now: Step, after: Tensor) -> None:
        changed = now.tokens != after
        assert not (changed & ~rule.may_change(now)).any()
        assert not (rule.reads(now) & ~rule.may_change(now)).any()
        assert rule.revisits or not (changed & ~now.masked).any()

    run(model_of(count, seed), count, Noise(seed, "rules", 1), picked, tell=check)


@pytest.mark.parametrize("name", [*SCHEDULED, "p2", "p2-self"])
@settings(max_examples=12, deadline=None)
@given(count=st.integers(1, 20), steps=st.integers(1, 30))
def test_the_schedule_reveals_evenly(name: str, count: int, steps: int) -> None:
    masks = []
    run(
        model_of(count, 0),
        count,
        Noise(0, "rules", 2),
        Settings(sampler=name, steps=steps),
        tell=lambda now, after: masks.append(int(now.masked.sum()) - int((after == MASK).sum())),
    )
    assert sum(masks) == count
    assert max(masks) <= -(-count // steps)


@pytest.mark.parametrize("name", SCHEDULED)
def test_published_times_leave_two_masks_to_the_last_step(name: str) -> None:
    revealed = []
    run(
        model_of(8, 0),
        8,
        Noise(0, "rules", 3),
        Settings(sampler=name, steps=64, published_times=True),
        tell=lambda now, after: revealed.append(int((after != now.tokens).sum())),
    )
    assert revealed == [1] * 6 + [2]


def test_steps_that_cannot_change_a_gap_need_no_forward() -> None:
    steps: list[Step] = []
    run(
        model_of(8, 0),
        8,
        Noise(0, "rules", 4),
        Settings(sampler="entropy", steps=64),
        tell=lambda now, _: steps.append(now),
    )
    assert len(steps) == 8


def sure_of(value: float, count: int) -> Model:
    """The best token has probability `value`, before a temperature of 1."""
    others = VOCABULARY - 1 - len(NEVER) - 1
    logits = torch.zeros(count, VOCABULARY)
    logits[:, 7] = torch.tensor(value / (1 - value) * others).log()
    return lambda _: logits.clone()


@pytest.mark.parametrize(
    ("options", "sure", "forwards"),
    [
        ({"sampler": "threshold", "threshold": 0.9}, 0.91, 1),
        ({"sampler": "threshold", "threshold": 0.9}, 0.89, 6),
        ({"sampler": "p2", "mode": "parallel"}, 0.91, 1),
        ({"sampler": "p2", "mode": "parallel"}, 0.89, 6),
        # (n + 1)(1 - 0.9) < 0.45 holds up to n = 3.
        ({"sampler": "factor", "factor": 0.45}, 0.9, 2),
        ({"sampler": "factor", "factor": 0.1}, 0.9, 6),
        ({"sampler": "p2", "mode": "parallel", "factor": 1.0}, 0.9, 1),
    ],
)
def test_sure_gaps_are_filled_in_fewer_forwards(
    options: dict[str, Any], sure: float, forwards: int
) -> None:
    ran: list[int] = []
    run(
        sure_of(sure, 6),
        6,
        Noise(0, "rules", 5),
        Settings(**options, temperature=1.0, top_p=0.5),
        tell=lambda now, _: ran.append(now.index),
    )
    assert len(ran) == forwards


def test_p2_self_masks_a_token_that_looks_wrong_and_p2_shields_it() -> None:
    now = Step(
        index=1,
        steps=3,
        tokens=torch.tensor([3, 4, MASK]),
        masked=torch.tensor([False, False, True]),
        mask_id=MASK,
        noise=Noise(0, "rules", 6),
        settings=Settings(steps=3),
    )
    draws = Draws(
        tokens=torch.tensor([8, 4, 9]),
        confidence=torch.tensor([-0.1, -0.2, -0.3]),
        margin=torch.zeros(3),
        entropy=torch.zeros(3),
        own=torch.tensor([-7.0, -0.2, -torch.inf]),
    )
    assert RULES["p2"].apply(now, draws).tolist() == [3, 4, MASK]
    assert RULES["p2-self"].apply(now, draws).tolist() == [MASK, 4, 9]


def test_remasking_by_temperature_follows_confidence() -> None:
    # One of two masks is revealed, by a softmax over confidence / temperature.
    draws = Draws(
        tokens=torch.tensor([3, 4]),
        confidence=torch.tensor([0.8, 0.2]).log(),
        margin=torch.zeros(2),
        entropy=torch.zeros(2),
        own=torch.zeros(2),
    )
    first, count = 0, 1000
    for seed in range(count):
        now = Step(
            index=0,
            steps=2,
            tokens=torch.tensor([MASK, MASK]),
            masked=torch.tensor([True, True]),
            mask_id=MASK,
            noise=Noise(seed, "rules", 7),
            settings=Settings(sampler="maskgit_plus", steps=2, remask_temperature=0.4),
        )
        first += int(RULES["maskgit_plus"].apply(now, draws)[0] == 3)
    expected = torch.tensor([0.8, 0.2]).div(0.4).softmax(0)[0]
    assert abs(first / count - expected) < 4 * (0.25 / count) ** 0.5


def test_a_step_asks_its_noise_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = Noise.uniform

    def counting(self: Noise, step: int, count: int, stream: str = "draw") -> Tensor:
        asked.append(stream)
        return plain(self, step, count, stream)

    monkeypatch.setattr(Noise, "uniform", counting)
    model, choice = model_of(6, 0), Settings(sampler="remdm", steps=2)
    run(model, 6, Noise(0, "rules", 9), choice)
    # The last step reveals all that is left.
    assert sorted(asked) == ["draw", "draw", "remask", "reveal"]


def test_blocks_of_a_gap_draw_their_own_numbers() -> None:
    def block(first: int) -> Step:
        tokens = torch.full((4,), MASK)
        return Step(
            index=0,
            steps=2,
            tokens=tokens,
            masked=tokens == MASK,
            mask_id=MASK,
            noise=Noise(0, "rules", 8),
            settings=Settings(),
            first=first,
        )

    whole = Noise(0, "rules", 8).uniform(0, 8)
    assert block(0).uniform("draw").equal(whole[:4])
    assert block(4).uniform("draw").equal(whole[4:])
