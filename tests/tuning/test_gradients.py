from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.tuning.synthetic import Documents, tiny, toy_vocabulary  # noqa: E402
from trueval.tuning.batches import Batches  # noqa: E402
from trueval.tuning.gradients import Feed, pass_gradients  # noqa: E402
from trueval.tuning.net import initial, working_copy  # noqa: E402


def test_what_fills_a_pass_up_has_no_part_in_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny()
    batches = Batches(Documents([90] * 20), size=360, context=120, seed=0)
    rows = Feed(batches, toy_vocabulary(), recipe.mixture, seed=0).make(0)
    assert (rows.weights > 0).sum() % 64
    working = working_copy(initial(recipe.shape, 0), torch.float32, torch.device("cpu"))
    filled = pass_gradients(working, recipe.shape, rows, None)
    monkeypatch.setattr("trueval.tuning.gradients._filled", lambda values: values)
    bare = pass_gradients(working, recipe.shape, rows, None)
    assert [float(a) for a in filled[:3]] == pytest.approx([float(a) for a in bare[:3]])
    assert any(gradient.abs().max() > 0 for gradient in bare[3])
    for mine, theirs in zip(filled[3], bare[3], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
