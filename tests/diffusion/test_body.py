from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from torch import Tensor

from tests.diffusion.checkpoints import FAMILIES, VOCAB, config_of, write_checkpoint  # noqa: E402
from tests.diffusion.reference import reference_logits  # noqa: E402
from trueval.diffusion.body import Body, Context  # noqa: E402
from trueval.diffusion.model import Model, load_model  # noqa: E402

BLOCKS = {"bd3lm": 32, "sdar": 4}
"""Families whose positions see no later block than their own."""


def row(length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 250, (length,), generator=torch.Generator().manual_seed(seed))


def predictions(model: Model, ids: Tensor) -> Tensor:
    """The outputs of all positions but the last, as the reference gives them, unshifted."""
    at = torch.arange(len(ids) - 1)
    return model.logits([ids], [at + 1 if model.adapter.shift else at])[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_a_plain_bidirectional_model(family: str, tmp_path: Path) -> None:
    folder, block = write_checkpoint(tmp_path, family), BLOCKS.get(family)
    ids = row(14 if block is None else 70)
    ours, plain = predictions(load_model(folder), ids), reference_logits(folder, ids, block)[:-1]
    assert plain.std() > 0.5
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("key", "value"), [("scale_logits", True), ("input_emb_norm", True)])
def test_llada_s_scales_are_applied(key: str, value: bool, tmp_path: Path) -> None:
    folder, ids = write_checkpoint(tmp_path / "plain", "llada"), row(9)
    scaled = write_checkpoint(tmp_path / "scaled", "llada", config={key: value})
    before, after = (predictions(load_model(where), ids) for where in (folder, scaled))
    if key == "scale_logits":
        width = config_of("llada")["d_model"]
        torch.testing.assert_close(after, before / width**0.5)
    else:
        assert not torch.allclose(after, before, atol=0.1)


@pytest.mark.parametrize("family", BLOCKS)
def test_a_position_sees_its_own_block_and_those_before(family: str, tmp_path: Path) -> None:
    model, ids, block = load_model(write_checkpoint(tmp_path, family)), row(80), BLOCKS[family]
    other = ids.clone()
    other[2 * block - 1] = (ids[2 * block - 1] + 1) % 250
    at = torch.arange(80)
    (before,), (after,) = model.logits([ids], [at]), model.logits([other], [at])
    moved = [not torch.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True)]
    assert moved == [place >= block for place in range(80)]


def test_a_torch_without_onednn_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ids = write_checkpoint(tmp_path, "dream"), row(14)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", object())  # as where its operators have no names
    for dtype in ("float32", "bfloat16"):
        assert predictions(load_model(folder, dtype=dtype), ids).shape == (13, VOCAB)
    half = write_checkpoint(tmp_path / "half", "dream", config={"torch_dtype": "bfloat16"})
    assert load_model(half, device="cpu").dtype == torch.float32


@pytest.mark.parametrize("family", ["open-dcoder", "a2d", "llada"])
def test_bfloat16_is_close_and_gives_float32_logits(family: str, tmp_path: Path) -> None:
    folder, ids = write_checkpoint(tmp_path, family), row(40)
    exact, rough = (predictions(load_model(folder, dtype=d), ids) for d in ("float32", "bfloat16"))
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.03 * exact.std()


def test_outputs_asked_for_are_those_of_asking_for_all(tmp_path: Path) -> None:
    model, ids = load_model(write_checkpoint(tmp_path, "a2d")), row(30)
    everything = model.logits([ids], [torch.arange(30)])[0]
    at = torch.tensor([7, 3, 3, 29])
    torch.testing.assert_close(model.logits([ids], [at])[0], everything[at], atol=1e-5, rtol=0)


def test_a_batch_is_its_rows(tmp_path: Path) -> None:
    body = body_of(load_model(write_checkpoint(tmp_path, "open-dcoder")))
    ids, out = torch.stack([row(20, seed) for seed in range(3)]), torch.tensor([[1, 5]] * 3)
    together = body.hidden(ids, out)
    for index in range(3):
        alone = body.hidden(ids[index : index + 1], out[:1])
        torch.testing.assert_close(together[index], alone[0], atol=1e-5, rtol=0)


def test_positions_go_on_beyond_the_first_table(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "dream", config={"max_position_embeddings": 2048})
    ids, model = row(700), load_model(folder)
    near = model.logits([row(5)], [torch.tensor([2])])[0]
    torch.testing.assert_close(
        predictions(model, ids), reference_logits(folder, ids)[:-1], atol=1e-4, rtol=0
    )
    assert torch.equal(near, model.logits([row(5)], [torch.tensor([2])])[0])


def test_a_context_tells_its_size(tmp_path: Path) -> None:
    body = body_of(load_model(write_checkpoint(tmp_path, "dream")))
    context = Context(keys=[], values=[])
    body.hidden(row(10)[None], torch.tensor([[1]]), context=context)
    shape = body.shape
    assert context.nbytes == 2 * 4 * shape.layers * shape.kv_heads * 10 * shape.head_dim


def body_of(model: Model) -> Body:
    return model._body
