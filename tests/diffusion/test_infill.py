"""Texts in, texts out: what is asked for in Python is done, or refused in a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from trueval.diffusion.gaps import Gap  # noqa: E402
from trueval.diffusion.infill import Infiller  # noqa: E402
from trueval.diffusion.model import load_model  # noqa: E402
from trueval.errors import BackendError, ConfigError  # noqa: E402

TEXTS = [("@abc", "gh/1;\n"), ("@a", "g/2;\n")]


@pytest.fixture(scope="module")
def infiller(model: Any) -> Infiller:
    return Infiller(model)


@pytest.mark.parametrize("length", [[3], [3, 2, 1], "long"])
def test_lengths_are_one_for_all_or_one_for_each(infiller: Infiller, length: Any) -> None:
    with pytest.raises(ConfigError, match="length"):
        infiller.fill_many(TEXTS, length=length)


def test_a_single_filling_is_one_sample(infiller: Infiller) -> None:
    with pytest.raises(ConfigError, match="one sample") as caught:
        infiller.fill("@abc", "gh/1;\n", length=3, samples=2)
    assert "fill_many" in caught.value.hint
    with pytest.raises(ConfigError, match="0 samples"):
        infiller.fill_many(TEXTS, samples=0)


def test_only_a_length_that_is_searched_may_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infiller = Infiller(load_model(write_checkpoint(tmp_path, "dreamon"), device="cpu"))
    seen: list[Gap] = []
    fill = infiller.engine.fill

    def watching(gaps: list[Gap]) -> Any:
        seen.extend(gaps)
        return fill(gaps)

    monkeypatch.setattr(infiller.engine, "fill", watching)
    filled = infiller.fill("def f(x):", "return x", length=8)
    assert len(filled.filling.tokens) == 8 and not seen[0].resizes


def test_an_error_leaves_an_infiller_as_good_as_new(model: Any) -> None:
    infiller = Infiller(model)
    expected = infiller.fill("@abc", "gh/1;\n", length=3).text

    def spoilt(*_: Any) -> Any:
        raise BackendError("out of order")

    whole, infiller.engine.model = infiller.engine.model, replace_read(model, spoilt)
    with pytest.raises(BackendError, match="out of order"):
        infiller.fill_many([("@a", "g/2;\n")] * 3, length=2)
    infiller.engine.model = whole
    assert infiller.engine.canvases() == []
    assert infiller.fill("@abc", "gh/1;\n", length=3).text == expected
    # A gap that is refused leaves none of those before it.
    with pytest.raises(ConfigError, match="does not fit"):
        infiller.fill_many(TEXTS, length=[3, 1000])
    assert not infiller.engine.step()


def replace_read(model: Any, read: Any) -> Any:
    """A model that is asked by another function."""

    class Other:
        adapter, context = replace(model.adapter), model.context

    Other.read = staticmethod(read)  # type: ignore[attr-defined]
    return Other()
