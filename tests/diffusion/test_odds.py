"""A draw from the few ids that are kept is the draw from the whole sorted vocabulary."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from scipy import stats  # noqa: E402
from torch import Tensor  # noqa: E402

from tests.diffusion import dense  # noqa: E402
from trueval.diffusion.noise import Noise  # noqa: E402
from trueval.diffusion.odds import FRONT, Odds, _weigh, _weigh_at_once  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402
from trueval.errors import BackendError  # noqa: E402

KINDS = ("normal", "tied", "two values", "equal", "sure", "zeros of both signs")


def logits_of(kind: str, rows: int, size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, size, generator=generator) * 3
    if kind == "tied":
        return values.round()
    if kind == "two values":
        return (values > 0).float()
    if kind == "equal":
        return torch.full_like(values, 2.5)
    if kind == "sure":
        values[:, size // 2] += 30
    if kind == "zeros of both signs":
        return values.sign() * 0.0
    return values


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    # Up to a few ids, one front, and many fronts, with a chunk that is not full.
    size=st.sampled_from([1, 2, 7, FRONT - 1, FRONT, FRONT + 1, 1000, 2 * 32 * FRONT + 45]),
    temperature=st.sampled_from([0.0, 1e-6, 0.1, 0.6, 1.0, 50.0, 1e6]),
    top_k=st.sampled_from([0, 1, 3, FRONT, 600, 10**6]),
    top_p=st.sampled_from([1e-9, 0.3, 0.5, 0.95, 1.0]),
    banned=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_a_draw_is_that_of_the_sorted_vocabulary(
    kind: str, size: int, temperature: float, top_k: int, top_p: float, banned: bool, seed: int
) -> None:
    never = [0, size // 2] if banned and size > 2 else []
    logits = logits_of(kind, 2, size, seed)
    odds = Odds.of(
        logits, temperature=temperature, top_k=top_k, top_p=top_p, never=never, entropy=True
    )
    options: dict[str, Any] = {"top_k": top_k, "top_p": top_p} if temperature else {}
    choice = Settings(sampler="maskgit_plus", temperature=temperature, **options)
    for index in range(2):
        u = Noise(seed, "odds", index).uniform(0, 2)
        tokens, logp = odds.draw(u)
        for row in range(2):
            token, confidence = dense.draw(logits[row], float(u[row]), choice)
            assert int(tokens[row]) == token
            assert float(logp[row]) == pytest.approx(confidence, rel=1e-5, abs=1e-6)
            assert token not in never


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    size=st.sampled_from([1, 9, 2 * 32 * FRONT + 45]),
    temperature=st.sampled_from([0.0, 0.6, 3.0]),
    seed=st.integers(0, 10**6),
)
def test_margin_entropy_and_the_tokens_in_place_are_of_the_untruncated_distribution(
    kind: str, size: int, temperature: float, seed: int
) -> None:
    logits = logits_of(kind, 3, size, seed)
    own = torch.tensor([0, size // 2, size - 1])
    odds = Odds.of(
        logits.clone(), temperature=temperature, top_k=1, top_p=0.5, own=own, entropy=True
    )
    logp = (logits.double() / (temperature or 1)).log_softmax(1)
    best = torch.cat([logp.exp(), torch.zeros(3, 1)], 1).sort(1, descending=True).values
    near = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(odds.margin, best[:, 0] - best[:, 1], **near)
    torch.testing.assert_close(odds.entropy, -(logp.exp() * logp).sum(1).float(), **near)
    torch.testing.assert_close(odds.own, logp.gather(1, own[:, None])[:, 0].float(), **near)


def test_near_certain_tokens_still_rank() -> None:
    # In float32 both log-softmaxes are 0.
    logits = torch.full((2, 1000), -30.0)
    logits[:, 7] = torch.tensor([0.0, 1.0])
    _, logp = Odds.of(logits, temperature=1.0, top_p=0.9).draw(torch.tensor([0.5, 0.5]).double())
    assert logp[0] < logp[1] < 0


def test_margins_of_near_certain_positions_still_rank() -> None:
    # In float32 all three are 1.
    logits = torch.full((3, 10), -60.0)
    logits[:, 7] = 0.0
    logits[:, 2] = torch.tensor([-30.0, -20.0, -25.0])
    margin = Odds.of(logits, temperature=1.0).margin
    assert margin.argsort(descending=True).tolist() == [0, 2, 1] and margin[0] < 1


@pytest.mark.parametrize(
    "options", [{}, {"top_k": 3}, {"temperature": 0.0}, {"top_p": 0.5}], ids=str
)
def test_odds_in_parts_are_those_of_all_at_once(options: dict[str, Any]) -> None:
    chosen = {"temperature": 0.8, "top_p": 0.95, "entropy": True, **options}
    logits = logits_of("normal", 9, 2 * 32 * FRONT, 4)
    logits[:3, 5] += 40  # the first part's fronts are shorter than the second's
    logits[6] = 0
    own = torch.arange(9)
    at_once = Odds.of(logits.clone(), own=own, **chosen)
    cuts = (slice(0, 3), slice(3, 5), slice(5, 9))
    parts = [Odds.of(logits[cut].clone(), own=own[cut], **chosen) for cut in cuts]
    joined = Odds.joined(parts)
    for seed in range(20):
        u = Noise(seed, "parts", 0).uniform(0, 9)
        for a, b in zip(at_once.draw(u), joined.draw(u), strict=True):
            assert torch.equal(a, b)
    for name in ("kept", "total", "margin", "entropy", "own"):
        assert torch.equal(getattr(at_once, name), getattr(joined, name))
    assert list(at_once.raw) == list(joined.raw)


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_the_way_that_a_gpu_weighs_gives_the_same(temperature: float) -> None:
    logits = logits_of("sure", 5, 5000, 2)
    logits[:, 7] = -torch.inf
    best = logits.amax(1, keepdim=True)
    by_row = _weigh(logits, best, temperature, with_entropy=True)
    at_once = _weigh_at_once(logits, best, temperature, with_entropy=True)
    for a, b in zip(by_row, at_once, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("top_p", [0.5, 0.95, 1.0])
def test_draws_follow_the_nucleus(top_p: float) -> None:
    logits = torch.linspace(3, 0, 40)
    p = logits.double().softmax(0)
    before = p.cumsum(0) - p
    p = torch.where(before < top_p, p, 0)
    count = 4_000
    odds = Odds.of(logits.repeat(count, 1), temperature=1.0, top_p=top_p)
    tokens, _ = odds.draw(Noise(0, "chi-square", 0).uniform(0, count))
    seen = torch.bincount(tokens, minlength=40).double()
    alive = p > 0
    assert seen[~alive].sum() == 0
    expected = p[alive] / p.sum() * count
    assert stats.chisquare(seen[alive].numpy(), expected.numpy()).pvalue > 0.001


def test_a_flat_position_falls_back_and_its_neighbours_do_not() -> None:
    size = 2 * 32 * FRONT
    logits = logits_of("sure", 3, size, 0)
    logits[1] = 0
    odds = Odds.of(logits, temperature=1.0, top_p=0.95)
    assert list(odds.raw) == [1]
    u = torch.tensor([0.5, 0.5, 0.5], dtype=torch.float64)
    # Half of 95 % of equal tokens.
    assert int(odds.draw(u)[0][1]) == pytest.approx(0.475 * size, abs=2)


def test_sure_positions_take_a_thousandth_of_their_logits() -> None:
    logits = logits_of("sure", 12, 50_000, 1)
    odds = Odds.of(logits, temperature=0.6, top_p=0.95, own=torch.zeros(12, dtype=torch.int64))
    assert odds.raw == {}
    assert odds.nbytes < logits.nbytes / 1000


@pytest.mark.parametrize("top_p", [0.5, 1.0])
def test_numbers_at_either_end_draw_the_first_and_the_last_token_kept(top_p: float) -> None:
    logits = torch.zeros(2, 1000)
    odds = Odds.of(logits, temperature=1.0, top_p=top_p, never=[999])
    ends = torch.tensor([2.0**-53, 1 - 2.0**-53], dtype=torch.float64)
    last = math.ceil(top_p * 999) - 1
    assert odds.draw(ends)[0].tolist() == [0, last]


def test_rounding_at_the_end_of_the_order_never_draws_a_banned_id() -> None:
    # The weight of all is summed in another order than the sorted weights, and can come out larger.
    never = list(range(0, 2000, 3))
    odds = Odds.of(logits_of("normal", 16, 2000, 3), temperature=1.0, top_p=1.0, never=never)
    last = torch.full((16,), 1 - 2.0**-53, dtype=torch.float64)
    assert not torch.isin(odds.draw(last)[0], torch.tensor(never)).any()


@pytest.mark.parametrize("value", [math.nan, -math.nan, math.inf])
def test_logits_that_are_not_finite_are_reported(value: float) -> None:
    logits = torch.zeros(2, 500)
    logits[1, 3] = value
    with pytest.raises(BackendError, match="not finite"):
        Odds.of(logits, temperature=1.0)
