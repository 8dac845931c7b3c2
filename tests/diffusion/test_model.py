from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from torch import Tensor

from tests.diffusion.checkpoints import CODE, FAMILIES, VOCAB, token_ids, write_checkpoint  # noqa: E402
from tests.diffusion.gapwork import DEVICES  # noqa: E402
from trueval.diffusion.model import Model, Window, load_model  # noqa: E402
from trueval.diffusion.packs import length_bucket, output_bucket, whole  # noqa: E402
from trueval.errors import BackendError, ConfigError, MissingExtraError  # noqa: E402


def row(length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 250, (length,), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("open-dcoder"), "open-dcoder")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(folder)


# --------------------------------------------------------------------------- rows and packs

ROWS = [row(length, seed) for seed, length in enumerate((20, 33, 20, 9, 31, 100, 20))]
AT = [torch.arange(2, 8), torch.tensor([30]), torch.tensor([0, 19]), torch.arange(9)]
AT += [torch.arange(12, 30), torch.arange(60, 70), torch.tensor([5, 6, 7])]


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_packs_give_the_logits_of_rows_alone(folder: Path, dtype: str, rows: int) -> None:
    alone, packed = (load_model(folder, dtype=dtype, pack_rows=n) for n in (0, rows))
    exact, close = alone.logits(ROWS, AT), packed.logits(ROWS, AT)
    for want, got in zip(exact, close, strict=True):
        assert got.shape == want.shape
        if dtype == "float32":
            torch.testing.assert_close(got, want, atol=1e-4, rtol=0)
        else:
            assert (got - want).abs().mean() < 0.03 * want.std()


@pytest.mark.parametrize("family", ["bd3lm", "sdar"])
def test_packs_of_block_models_give_the_logits_of_rows_alone(family: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, family)
    alone, packed = (load_model(folder, pack_rows=n) for n in (0, 3))
    for want, got in zip(alone.logits(ROWS, AT), packed.logits(ROWS, AT), strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pack_rows", [0, 4])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_neighbours_change_no_bit(folder: Path, dtype: str, pack_rows: int, device: str) -> None:
    model = load_model(folder, dtype=dtype, pack_rows=pack_rows, device=device)
    alone = [model.logits([ids], [at])[0] for ids, at in zip(ROWS, AT, strict=True)]
    order = [6, 2, 0, 5, 1, 4, 3, 0, 0]
    shuffled = model.logits([ROWS[i] for i in order], [AT[i] for i in order])
    for index, got in zip(order, shuffled, strict=True):
        assert torch.equal(got, alone[index])


def test_a_pack_s_shape_is_the_row_s_own() -> None:
    assert [length_bucket(n) for n in (1, 32, 33, 512, 513)] == [32, 32, 64, 512, 640]
    assert [output_bucket(n) for n in (1, 8, 9, 17)] == [8, 8, 16, 32]


def test_no_rows_give_no_logits(model: Model) -> None:
    assert model.logits([], []) == []


def test_a_shifted_model_predicts_the_first_token_at_its_own_place(model: Model) -> None:
    first, second = model.logits([row(12)], [torch.tensor([0, 1])])[0]
    assert torch.equal(first, second)


def test_the_last_token_sways_the_first(model: Model) -> None:
    ids, at = row(12), torch.tensor([1])
    other = ids.clone()
    other[-1] = (ids[-1] + 1) % 250
    (before,), (after,) = model.logits([ids], [at]), model.logits([other], [at])
    assert not torch.allclose(before, after)


def test_a_row_longer_than_the_context_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="takes 256"):
        model.logits([row(257)], [torch.tensor([3])])


# --------------------------------------------------------------------------- windows


def again(model: Model, window: Window, ids: Tensor, at: Tensor) -> Tensor:
    """One window alone, computed anew."""
    return model.rewindow([window], [ids], [at], whole)[0]


@pytest.mark.parametrize("family", ["open-dcoder", "a2d", "llada", "bd3lm", "sdar"])
def test_a_window_right_after_a_full_pass_is_exact(family: str, tmp_path: Path) -> None:
    model, ids, at = load_model(write_checkpoint(tmp_path, family)), row(60), torch.arange(20, 32)
    full = model.logits([ids], [at])[0]
    [(window, logits)] = model.windows([ids], [at], [at], whole)
    assert torch.equal(logits, full)
    torch.testing.assert_close(again(model, window, ids, at), full, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("family", "width"), [("open-dcoder", 13), ("a2d", 12)])
def test_the_left_neighbour_is_in_a_shifted_window(family: str, width: int, tmp_path: Path) -> None:
    model = load_model(write_checkpoint(tmp_path, family))
    at = torch.arange(20, 32)
    [(window, _)] = model.windows([row(60)], [at], [at], whole)
    assert len(window.places) == width
    assert window.nbytes > 0


def test_a_window_is_near_a_full_pass_after_its_tokens_change(model: Model) -> None:
    ids, at = row(60), torch.arange(20, 32)
    [(window, before)] = model.windows([ids], [at], [at], whole)
    changed = ids.clone()
    changed[22:25] = torch.tensor([1, 2, 3])
    full, near = model.logits([changed], [at])[0], again(model, window, changed, at)
    assert 0 < (near - full).abs().mean() < 0.5 * (before - full).abs().mean()
    # What was written for the changed row leaves nothing behind.
    torch.testing.assert_close(again(model, window, ids, at), before, atol=1e-5, rtol=0)


def test_a_window_covers_what_may_change_though_less_is_asked_for(model: Model) -> None:
    ids, over = row(60), torch.arange(20, 32)
    [(window, logits)] = model.windows([ids], [torch.tensor([25])], [over], whole)
    assert logits.shape == (1, VOCAB)
    found = again(model, window, ids, over)
    torch.testing.assert_close(found, model.logits([ids], [over])[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("place", [18, 40])
def test_what_lies_outside_of_a_window_is_not_computed(model: Model, place: int) -> None:
    ids, at = row(60), torch.arange(20, 32)
    [(window, _)] = model.windows([ids], [at], [at], whole)
    with pytest.raises(ValueError, match="outside of the window"):
        again(model, window, ids, torch.tensor([place]))
    ids[place] = (ids[place] + 1) % 250
    with pytest.raises(ValueError, match="has changed"):
        again(model, window, ids, at)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pack_rows", [0, 8])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_neighbours_change_no_bit_of_a_window(
    folder: Path, dtype: str, pack_rows: int, device: str
) -> None:
    model = load_model(folder, dtype=dtype, pack_rows=pack_rows, device=device)
    ids = [row(40 + 3 * number, number) for number in range(11)]
    at = [torch.arange(10, 12 + 2 * number) for number in range(11)]
    changed = [line.clone() for line in ids]
    for line in changed:
        line[10] = 7

    def logits(numbers: list[int]) -> dict[int, Tensor]:
        of, where = [ids[n] for n in numbers], [at[n] for n in numbers]
        windows = [window for window, _ in model.windows(of, where, where, whole)]
        found = model.rewindow(windows, [changed[n] for n in numbers], where, whole)
        return dict(zip(numbers, found, strict=True))

    alone = {n: logits([n])[n] for n in range(11)}
    together = logits(list(range(11))) | logits([3, 0, 9])
    turned = logits(list(range(10, -1, -1)))
    for n in range(11):
        assert torch.equal(alone[n], together[n]) and torch.equal(alone[n], turned[n])


# --------------------------------------------------------------------------- text


@pytest.mark.parametrize("family", FAMILIES)
def test_text_comes_back_and_specials_are_plain_text(family: str, tmp_path: Path) -> None:
    model, ids = load_model(write_checkpoint(tmp_path, family)), token_ids(family)
    assert model.decode(model.encode(CODE)) == CODE
    spelled = "".join(ids)
    assert not set(model.encode(spelled)) & set(ids.values())
    assert model.decode(model.encode(spelled)) == spelled
    assert model.decode([*model.encode("a"), *ids.values(), *model.encode("b")]) == "ab"
    assert model.encode("") == [] and model.decode([]) == ""


def test_the_two_files_of_dream_make_qwen_s_tokenizer(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = load_model(write_checkpoint(tmp_path, "dream"))
    theirs = transformers.Qwen2Tokenizer.from_pretrained(str(tmp_path))
    for text in (CODE, "  x  re in\n\n\tdef 123 it's", "é vs é"):
        assert model.encode(text) == theirs(text, add_special_tokens=False)["input_ids"]


def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "dream")
    (folder / "merges.txt").unlink()
    with pytest.raises(BackendError, match="tokenizer"):
        load_model(folder)
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "none", "vocab": {}}}))
    with pytest.raises(BackendError, match="cannot be read"):
        load_model(folder)


# --------------------------------------------------------------------------- loading


def test_a_model_says_what_it_is(model: Model) -> None:
    facts = dict(model.facts)
    assert str(facts.pop("engine")).startswith("trueval.diffusion, torch")
    assert str(facts.pop("id")).startswith("open-dcoder")
    assert facts == {
        **{"revision": "local", "pinned": False, "adapter": "open-dcoder", "device": "cpu"},
        **{"precision": "float32", "context_length": 256, "pack_rows": 0},
    }
    assert (model.vocab_size, model.context, model.dtype) == (VOCAB, 256, torch.float32)


def test_the_family_can_be_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "a2d")
    assert not load_model(folder, adapter="bd3lm").adapter.infills
    with pytest.raises(ConfigError, match="unknown diffusion family"):
        load_model(folder, adapter="nonesuch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "dtype 'int8'"),
        *(({"device": n}, f"device '{n}'") for n in ("toaster", "mps", "xpu", "meta")),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(
    folder: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_model(folder, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_to_be_missing(folder: Path) -> None:
    with pytest.raises(BackendError, match="no GPU"):
        load_model(folder, device="cuda")


def test_a_gpu_with_too_high_a_number_is_said_to_be_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BackendError, match="no cuda:7") as caught:
        load_model(folder, device="cuda:7")
    assert caught.value.hint.endswith("cuda:0")


@pytest.mark.parametrize("source", ["./nowhere", "nowhere", "/no/where/at/all"])
def test_a_folder_that_is_not_there_is_said_to_be_missing(source: str) -> None:
    with pytest.raises(ConfigError, match="no such checkpoint"):
        load_model(source)


def test_a_hub_id_without_the_hub_s_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError) as caught:
        load_model("fredzzp/open-dcoder-0.5B")
    assert "trueval[hub]" in caught.value.hint


def test_a_hub_id_offline_says_what_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BackendError, match=r"could not get fredzzp/open-dcoder-0\.5B") as caught:
        load_model("fredzzp/open-dcoder-0.5B")
    assert "local copy" in caught.value.hint


def test_a_hub_snapshot_is_called_by_its_name(folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--dllm-hub--Qwen3-0.6B-diffusion-bd3lm-v0.1/snapshots/abc"
    write_checkpoint(snapshot, "bd3lm", config={"_name_or_path": None})
    assert load_model(snapshot).adapter.name == "bd3lm"
    shutil.rmtree(snapshot)
