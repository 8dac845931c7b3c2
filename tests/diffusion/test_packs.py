"""Logits are held for a few outputs at a time, and which these are depends on the row alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from torch import Tensor

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from trueval.diffusion.model import Model, load_model  # noqa: E402
from trueval.diffusion.packs import PART, Parts, whole  # noqa: E402


def row(length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 250, (length,), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[0, 3], ids=lambda rows: f"{rows}-rows")
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    return load_model(write_checkpoint(tmp_path, "a2d"), pack_rows=request.param, device="cpu")


ROWS = [row(200, n) for n in range(4)]
AT = [torch.arange(count) for count in (200, 5, PART, 130)]


def test_a_row_is_read_before_the_head_runs_for_the_next(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[tuple[str, int]] = []
    head = model._body.head

    def counted(hidden: Tensor) -> Tensor:
        log.append(("head", hidden.shape[:-1].numel()))
        return head(hidden)

    def reader(index: int, parts: Parts) -> int:
        sizes = [len(part) for part in parts]
        log.append(("read", index))
        return sum(sizes)

    monkeypatch.setattr(model._body, "head", counted)
    assert model.read(ROWS, AT, reader) == [200, 5, PART, 130]
    assert max(size for name, size in log if name == "head") <= PART
    # Never more than one row's heads between two readings.
    for before, (name, _) in enumerate(log):
        assert name == "read" or "read" in [kind for kind, _ in log[before : before + 3]]


def test_parts_of_a_row_are_those_it_has_alone(model: Model) -> None:
    alone = [model.logits([ids], [at])[0] for ids, at in zip(ROWS, AT, strict=True)]
    for order in ([3, 0, 2, 1], [0, 0, 1, 3]):
        found = model.read([ROWS[i] for i in order], [AT[i] for i in order], whole)
        for index, got in zip(order, found, strict=True):
            assert torch.equal(got, alone[index])


def test_parts_are_the_outputs_in_their_order(model: Model) -> None:
    everything = model.logits([ROWS[0]], [AT[0]])[0]
    some = torch.tensor([150, 3, 199])
    near = model.logits([ROWS[0]], [some])[0]
    torch.testing.assert_close(near, everything[some], atol=1e-5, rtol=0)
