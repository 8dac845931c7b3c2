from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from tests.tuning.synthetic import write_data  # noqa: E402
from trueval.errors import ConfigError, DataError  # noqa: E402
from trueval.tuning.checkpoint import load_state, save_state  # noqa: E402
from trueval.tuning.model import prepare, write_model  # noqa: E402
from trueval.tuning.net import hidden_states, working_copy  # noqa: E402

RECIPE = """
shape: {vocabulary: 300, hidden: 32, layers: 2, heads: 4, kv_heads: 2, mlp: 48, context: 120}
pass_tokens: 360
batch_tokens: 360
evaluate_every: 0
evaluate_lines: 5
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"), train=120)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def train(data: Path, recipe: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trueval", "train", "model", "--data", str(data), "--recipe",
               str(recipe), "--out", str(out), "--threads", "1", "--json", *more]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def weights(out: Path) -> bytes:
    return (out / "model.safetensors").read_bytes()


def test_a_run_that_was_stopped_and_killed_ends_bit_for_bit_the_same(
    data: Path, recipe: Path, tmp_path: Path
) -> None:
    steps = ("--steps", "60")
    broken = train(data, recipe, tmp_path / "b", *steps)
    _wait_for(tmp_path / "b" / "training" / "curves.jsonl")
    broken.send_signal(signal.SIGTERM)
    out, err = broken.communicate(timeout=120)
    assert broken.returncode == 5, err
    first = json.loads(out)
    assert 0 < first["steps"] < 60
    assert not first["finished"]
    # Killed without warning while it trains on: what was saved before counts.
    curves = tmp_path / "b" / "training" / "curves.jsonl"
    before = curves.stat().st_mtime_ns
    killed = train(data, recipe, tmp_path / "b", *steps, "--resume")
    _wait_for(curves, later_than=before, lines=2)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    again, straight = (
        train(data, recipe, tmp_path / "b", *steps, "--resume"),
        train(data, recipe, tmp_path / "a", *steps),
    )
    for process in (again, straight):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert json.loads(out)["steps"] == 60
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def _wait_for(path: Path, *, later_than: int = 0, lines: int = 1) -> None:
    for _ in range(1200):
        grown = path.exists() and path.stat().st_mtime_ns > later_than
        if grown and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} does not grow")


def test_what_is_exported_is_what_was_trained(data: Path, recipe: Path, tmp_path: Path) -> None:
    trainer, origin = prepare(data, str(recipe), tmp_path, steps=3, device="cpu")
    trainer.run()
    facts = write_model(trainer, origin)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["trueval_training"]["trained_tokens"] == facts["trained_tokens"] == 3 * 360
    assert "expand_id" not in config["trueval"]
    from trueval.diffusion.model import load_model

    model = load_model(tmp_path, device="cpu", dtype="float32")
    ids = torch.tensor([*model.encode("def f(first):\n    return "), trainer.vocabulary.mask])
    (logits,) = model.logits([ids], [torch.tensor([len(ids) - 1])])
    rounded = {name: w.bfloat16().float() for name, w in trainer.master.items()}
    working = working_copy(rounded, torch.float32, torch.device("cpu"))
    with torch.no_grad():
        x = hidden_states(working, trainer.recipe.shape, ids[None], torch.arange(len(ids)))
        expected = x[len(ids) - 2] @ working["embed"].t()
    usual = torch.arange(trainer.vocabulary.size - 5)
    torch.testing.assert_close(logits[0][usual], expected[usual], rtol=1e-4, atol=1e-4)


def test_transformers_loads_it(data: Path, recipe: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    trainer, origin = prepare(data, str(recipe), tmp_path, steps=1, device="cpu")
    trainer.run()
    write_model(trainer, origin)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert sum(p.numel() for p in model.parameters()) == trainer.recipe.shape.parameters
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.mask_token_id == trainer.vocabulary.mask
    card = (tmp_path / "README.md").read_text()
    assert "interrupted" not in card
    assert "360 tokens in 1 steps of 360" in card


def test_tokens_of_another_tokenizer_are_not_trained_on(
    data: Path, recipe: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    (copy / "tokenizer.json").write_text((data / "tokenizer.json").read_text() + " ", "utf-8")
    with pytest.raises(DataError, match=r"not of its tokenizer\.json"):
        prepare(copy, str(recipe), tmp_path / "out", device="cpu")


def test_a_training_is_not_resumed_on_other_data(data: Path, recipe: Path, tmp_path: Path) -> None:
    trainer, origin = prepare(data, str(recipe), tmp_path / "out", steps=1, device="cpu")
    trainer.save()
    other = write_data(tmp_path / "data", train=60)
    with pytest.raises(ConfigError, match="was begun otherwise: t"):
        prepare(other, str(recipe), tmp_path / "out", steps=1, device="cpu", resume=True)
    assert origin.facts.keys() <= load_state(tmp_path / "out", torch.device("cpu"))["facts"].keys()


def test_a_folder_with_a_training_is_not_overwritten(
    data: Path, recipe: Path, tmp_path: Path
) -> None:
    save_state(tmp_path, {"step": 1})
    with pytest.raises(ConfigError, match="holds a training already"):
        prepare(data, str(recipe), tmp_path, device="cpu")


def test_a_state_that_is_no_state_is_said(tmp_path: Path) -> None:
    save_state(tmp_path, {"step": 1})
    assert load_state(tmp_path, torch.device("cpu")) == {"step": 1}
    assert [p.name for p in (tmp_path / "training").iterdir()] == ["state.pt"]
    (tmp_path / "training" / "state.pt").write_bytes(b"cut off")
    with pytest.raises(DataError, match="cannot read"):
        load_state(tmp_path, torch.device("cpu"))
