"""Which backend a checkpoint gets where none is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from tests.diffusion.checkpoints import FAMILIES, write_checkpoint
from trueval.config import validate
from trueval.generate.models import catalogue, is_diffusion, resolve_model


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_recognised_by_its_folder(tmp_path: Path, family: str) -> None:
    folder = write_checkpoint(tmp_path / "tiny", family)
    (folder / "model.safetensors").unlink()
    assert resolve_model(str(folder)).backend == "diffusion"


def test_what_writes_from_left_to_right_is_not(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny", "qwen2")
    assert resolve_model(str(folder)).backend == "transformers"
    (folder / "config.json").write_text("{")
    assert resolve_model(str(folder)).backend == "transformers"
    assert not is_diffusion("no such model")
    assert not is_diffusion(str(tmp_path / "nowhere"))


def test_the_catalogue_names_diffusion_models() -> None:
    found = {entry.id for entry in catalogue().values() if entry.backend == "diffusion"}
    assert found == {
        "trueval-coder-3m",
        "fredzzp/open-dcoder-0.5B",
        "Dream-org/Dream-Coder-v0-Instruct-7B",
        "apple/DiffuCoder-7B-Instruct",
        "GSAI-ML/LLaDA-8B-Instruct",
        "Dream-org/DreamOn-v0-7B",
    }
    assert resolve_model("hf:GSAI-ML/LLaDA-8B-Instruct").backend == "diffusion"


def test_a_recognised_model_has_the_published_settings(tmp_path: Path) -> None:
    folder = str(write_checkpoint(tmp_path / "tiny", "llada"))
    config = validate({"model": folder}, where="test")
    named = validate({"model": folder, "backend": "diffusion"}, where="test")
    assert config == named
    assert config.sampling.diffusion is not None
    other = validate({"model": folder, "backend": "transformers"}, where="test")
    assert other.sampling.diffusion is None
    served = {"model": folder, "options": {"base_url": "http://x"}}
    assert validate(served, where="test").backend == "auto"


def test_a_hub_id_is_recognised_by_what_the_hub_cache_has(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    for name, family in (("Some-Dream", "dream"), ("some-qwen", "qwen2")):
        place = home / f"models--org--{name}"
        write_checkpoint(place / "snapshots" / ("0" * 40), family)
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("0" * 40)
    code = (
        "from trueval.generate.models import resolve_model as r\n"
        "print(*(r(f'org/{n}').backend for n in ('Some-Dream', 'some-qwen', 'not-here')))"
    )
    given = {**os.environ, "HF_HUB_CACHE": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)
    assert done.stdout.split() == ["diffusion", "transformers", "transformers"], done.stderr
