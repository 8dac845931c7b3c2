from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
safetensors = pytest.importorskip("safetensors.torch")

from tests.tuning.synthetic import function, write_data  # noqa: E402
from trueval.errors import BackendError  # noqa: E402
from trueval.tuning.adapt import adapted  # noqa: E402
from trueval.tuning.model import prepare, write_model  # noqa: E402
from trueval.tuning.net import Shape, initial, to_hugging_face  # noqa: E402
from trueval.tuning.recipe import load_recipe  # noqa: E402


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    """A checkpoint as Qwen2.5-Coder's: byte-level BPE of its own, spare rows, no mask."""
    folder = tmp_path / "tiny-coder"
    folder.mkdir()
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False, special_tokens=["<|endoftext|>"],
    )  # fmt: skip
    made.train_from_iterator((function(n) for n in range(50)), trainer)
    made.save(str(folder / "tokenizer.json"))
    size = made.get_vocab_size() + 3
    shape = Shape(vocabulary=size, hidden=32, layers=2, heads=4, kv_heads=2, mlp=48, theta=1e6)
    tensors = {
        name: w.contiguous() for name, w in to_hugging_face(initial(shape, 3), shape).items()
    }
    safetensors.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(shape.config()))
    return folder


def test_an_autoregressive_checkpoint_is_where_training_begins(qwen: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=60)
    recipe = tmp_path / "r.yml"
    recipe.write_text(
        "shape: {vocabulary: 1, hidden: 2, layers: 1, heads: 1, kv_heads: 1, mlp: 1,"
        " context: 120}\npass_tokens: 360\nbatch_tokens: 360\nevaluate_lines: 5\n"
    )
    out = tmp_path / "out"
    trainer, origin = prepare(data, str(recipe), out, source=qwen, steps=2, device="cpu")
    theirs = safetensors.load_file(qwen / "model.safetensors")
    embed = theirs["model.embed_tokens.weight"]
    known = len(embed) - 3
    assert torch.equal(trainer.master["embed"][:known], embed[:known])
    assert torch.equal(trainer.master["1.out"], theirs["model.layers.1.self_attn.o_proj.weight"])
    assert trainer.recipe.shape.theta == 1e6
    assert trainer.vocabulary.mask == known
    assert trainer.vocabulary.size == len(embed) + 2
    trainer.run()
    facts = write_model(trainer, origin)
    assert facts["adapted_from"] == "tiny-coder"
    from trueval.diffusion.model import load_model

    model = load_model(out, device="cpu")
    assert model.adapter.mask_id == known
    text = function(1)
    assert model.decode(model.encode(text)) == text


def test_other_checkpoints_are_refused(qwen: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=40)
    config = json.loads((qwen / "config.json").read_text()) | {"tie_word_embeddings": False}
    (qwen / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match="no Qwen2 checkpoint with tied embeddings"):
        prepare(data, "test", tmp_path / "out", source=qwen, steps=2, device="cpu")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", None, r"no tokenizer\.json to read"),
        ("tokenizer.json", "{}", r"no tokenizer\.json to read"),
        ("config.json", "[]", r"no config\.json to read"),
        ("config.json", '{"model_type": "qwen2", "tie_word_embeddings": true}', "names no"),
        ("model.safetensors", "", "cannot be read"),
    ],
)
def test_a_checkpoint_with_a_broken_file_is_said(
    qwen: Path, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    (qwen / name).unlink()
    if content is not None:
        (qwen / name).write_text(content, "utf-8")
    with pytest.raises(BackendError, match=message):
        adapted(qwen, tmp_path, load_recipe("test"))
