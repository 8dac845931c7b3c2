"""The diffusion backend on tiny checkpoints with random weights, made here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from trueval.diffusion.engine import Engine  # noqa: E402
from trueval.diffusion.gaps import Gap  # noqa: E402
from trueval.diffusion.model import load_model  # noqa: E402
from trueval.diffusion.settings import Settings  # noqa: E402
from trueval.errors import ConfigError  # noqa: E402
from trueval.generate.diffusion import DiffusionBackend  # noqa: E402
from trueval.generate.gaps import MASK, settings_of  # noqa: E402
from trueval.types import (  # noqa: E402
    DENOISED,
    ChatPrompt,
    Completion,
    DiffusionParams,
    Failure,
    InfillPrompt,
    Prompt,
    Request,
    SamplingParams,
    TextPrompt,
)

PREFIX, SUFFIX = "def f(x):\n    ", "\n    return x in y\n"
HOLE = InfillPrompt(prefix=PREFIX, suffix=SUFFIX)


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> None:
    torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "open-dcoder-tiny", "open-dcoder")


@pytest.fixture
async def backend(checkpoint: Path) -> AsyncIterator[DiffusionBackend]:
    backend = DiffusionBackend(model=str(checkpoint), concurrency=4, precision="f32")
    await backend.open()
    yield backend
    await backend.close()


def request(prompt: Prompt = HOLE, index: int = 0, **given: Any) -> Request:
    names = DiffusionParams.__dataclass_fields__
    diffusion = {"steps": 6, **{key: given.pop(key) for key in list(given) if key in names}}
    if isinstance(prompt, InfillPrompt):
        diffusion = {"length": 7, **diffusion}
    params = replace(DENOISED, diffusion=DiffusionParams(**diffusion), **given)
    return Request(problem_id="p/1", sample_index=index, model="tiny", prompt=prompt, params=params)


async def drawn(backend: DiffusionBackend, *requests: Request) -> list[Completion]:
    results = await asyncio.gather(*map(backend.draw, requests))
    assert all(isinstance(result, Completion) for result in results), results
    return [result for result in results if isinstance(result, Completion)]


async def failure(backend: DiffusionBackend, one: Request) -> str:
    result = await backend.draw(one)
    assert isinstance(result, Failure)
    return result.message


async def test_opening_says_what_the_model_is(checkpoint: Path) -> None:
    backend = DiffusionBackend(model=str(checkpoint))
    about = await backend.open()
    await backend.close()
    assert about["id"] == "open-dcoder-tiny"
    assert (about["revision"], about["pinned"], about["mode"]) == ("local", False, "completion")
    assert about["adapter"] == "open-dcoder"
    assert (about["precision"], about["device"], about["context_length"]) == ("float32", "cpu", 256)
    assert about["engine"].startswith("trueval.diffusion")
    # It fills holes itself, and is not asked with the FIM tokens that Qwen's vocabulary has.
    assert (about["infills"], about["fim_tokens"]) == (True, [])
    assert backend.shares_cores


async def test_the_defaults_of_denoising_stand_in_one_place() -> None:
    assert settings_of(DENOISED) == Settings()
    assert settings_of(SamplingParams(temperature=0.6, top_p=0.95)) == Settings()


async def test_a_gap_is_what_the_engine_fills(backend: DiffusionBackend, checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    gap = Gap(
        prefix=tuple(model.encode(PREFIX)),
        suffix=tuple(model.encode(SUFFIX)),
        length=7,
        problem_id="p/1",
        sample_index=3,
        seed=5,
        settings=Settings(steps=6),
    )
    with torch.inference_mode():
        [filling] = Engine(model).fill([gap])
    [found] = await drawn(backend, request(index=3, seed=5))
    assert found.text == model.decode(filling.kept)
    assert found.completion_tokens == 7
    assert found.prompt_tokens == len(gap.prefix) + len(gap.suffix)
    assert found.finish_reason == "stop"
    assert found.denoising["steps_run"] == filling.steps_run


async def test_a_row_is_the_same_alone_and_among_others(backend: DiffusionBackend) -> None:
    requests = [request(index=n, length=3 + n % 5) for n in range(10)]
    together = [one.text for one in await drawn(backend, *requests)]
    alone = [(await drawn(backend, one))[0].text for one in requests]
    assert together == alone
    assert len(set(together)) > 5


async def test_a_completion_is_masks_with_nothing_after_them(
    backend: DiffusionBackend, checkpoint: Path
) -> None:
    text = TextPrompt(text=PREFIX)
    [whole] = await drawn(backend, request(text, max_tokens=12))
    assert whole.completion_tokens == 12
    assert whole.prompt_tokens == len(load_model(checkpoint).encode(PREFIX))
    stop = whole.text[3:5]
    [cut] = await drawn(backend, request(text, max_tokens=12, stop=(stop,)))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"


async def test_an_end_token_ends_a_text_and_is_no_part_of_it(backend: DiffusionBackend) -> None:
    asked = [
        request(TextPrompt(text="x"), n, max_tokens=60, steps=2, temperature=9.0, top_p=1.0)
        for n in range(12)
    ]
    found = await drawn(backend, *asked)
    reasons = {one.finish_reason for one in found}
    # With 275 tokens, of which one ends a text, some of twelve rows meet it and some do not.
    assert reasons == {"stop", "length"}
    assert not any("<|endoftext|>" in one.text for one in found)
    longest = max(len(one.text) for one in found if one.finish_reason == "length")
    assert min(len(one.text) for one in found if one.finish_reason == "stop") < longest


async def test_text_that_looks_like_a_token_is_text(backend: DiffusionBackend) -> None:
    [plain] = await drawn(backend, request(InfillPrompt(prefix="<M>", suffix="<|endoftext|>")))
    assert plain.prompt_tokens > 2


async def test_a_chat_goes_through_the_template(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = write_checkpoint(tmp_path / "tiny-instruct", "open-dcoder")
    backend = DiffusionBackend(model=str(folder))
    about = await backend.open()
    chat = ChatPrompt(messages=(("user", "say x"),))
    [found] = await drawn(backend, request(chat, max_tokens=5))
    await backend.close()
    assert about["mode"] == "chat"
    assert found.prompt_tokens > len("say x") // 2


async def test_a_model_without_a_template_takes_no_chat(tmp_path: Path) -> None:
    backend = DiffusionBackend(model=str(write_checkpoint(tmp_path / "tiny", "trueval")))
    await backend.open()
    said = await failure(backend, request(ChatPrompt(messages=(("user", "x"),))))
    await backend.close()
    assert "no chat template" in said


async def test_a_block_diffusion_model_completes_and_fills_no_holes(tmp_path: Path) -> None:
    backend = DiffusionBackend(model=str(write_checkpoint(tmp_path / "tiny", "bd3lm")))
    about = await backend.open()
    assert about["infills"] is False
    assert "block-diffusion" in await backend.why_not_infill()
    assert "fills no holes" in await failure(backend, request())
    [found] = await drawn(backend, request(TextPrompt(text=PREFIX), max_tokens=8))
    await backend.close()
    assert found.completion_tokens == 8


async def test_a_traced_row_has_its_history(checkpoint: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    backend = DiffusionBackend(
        model=str(checkpoint), trace=True, watch=lambda *told: seen.append(told)
    )
    about = await backend.open()
    [found] = await drawn(backend, request())
    await backend.close()
    history = found.denoising["history"]
    assert history[0] == MASK * 7
    assert history[-1] == found.text
    assert len(history) == found.denoising["steps_run"] + 1
    # What is watched is the same; steps that took no forward are seen with the next one.
    assert [text for text, _, _ in seen] == [t for t in history if t in {text for text, *_ in seen}]
    assert seen[0][0] == history[1]
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert {of for _, _, of in seen} == {6}
    # A cache would else hand out rows without a history.
    assert about["traced"] is True


@pytest.mark.parametrize("given", [{"mode": "cached"}, {"mode": "parallel", "threshold": 0.5}])
async def test_an_approximate_mode_is_checked_against_exact(
    backend: DiffusionBackend, given: dict[str, Any]
) -> None:
    found = await drawn(backend, *(request(index=n, **given) for n in range(4)))
    exact = await drawn(backend, *(request(index=n) for n in range(4)))
    # Another text is other tokens; the tokens of one text may differ.
    for one, other in zip(found, exact, strict=True):
        assert "agrees" in one.denoising
        assert one.text == other.text or one.denoising["agrees"] is False
    assert not any("agrees" in one.denoising for one in exact)


async def test_a_gap_too_long_fails_alone(backend: DiffusionBackend) -> None:
    results = await asyncio.gather(
        backend.draw(request(length=1000)), backend.draw(request(length=4))
    )
    assert isinstance(results[0], Failure) and "does not fit" in results[0].message
    assert isinstance(results[1], Completion)


async def test_what_the_engine_dies_of_is_a_failure_and_the_next_row_is_filled(
    backend: DiffusionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(backend._denoisers[0].net, "read", no_memory)
        assert "out of memory" in await failure(backend, request())
    assert (await drawn(backend, request()))[0].completion_tokens == 7


async def test_a_length_is_counted_as_the_gap_alone(backend: DiffusionBackend) -> None:
    assert await backend.count_tokens("") == 0
    assert await backend.count_tokens("def") == 1  # a merge of its vocabulary


async def test_a_length_is_looked_for_once_and_counted(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueval.diffusion.calibration.cache_dir", lambda: tmp_path)
    said: list[str] = []
    backend = DiffusionBackend(
        model=str(checkpoint), trace=True, calibration_holes=8, say=said.append
    )
    await backend.open()
    [first] = await drawn(backend, request(length="search", hole="lines", max_tokens=12))
    [other] = await drawn(backend, request(index=1, length="search", hole="lines", max_tokens=12))
    [unsaid] = await drawn(backend, request(length=None, max_tokens=12))
    await backend.close()
    # Without a word on what is missing, two whole lines beside the gap would be "lines".
    assert len(said) == 2
    search, again = first.denoising["search"], other.denoising["search"]
    assert first.completion_tokens == search["length"] == again["length"] <= 12
    assert search["cost"] > again["cost"] == 0 and first.denoising["forwards"] > 0
    best = search["candidates"][0]
    assert best["length"] == search["length"]
    assert {"odds", "prior", "confidence", "text", "logp"} < set(best)
    assert unsaid.denoising["search"]["hole"] == "span"


async def test_a_closed_engine_is_a_failure(checkpoint: Path) -> None:
    backend = DiffusionBackend(model=str(checkpoint))
    assert "not open" in await failure(backend, request())
    await backend.open()
    await backend.close()
    await backend.close()
    assert "not open" in await failure(backend, request())


@pytest.mark.parametrize(
    "options",
    [{"precision": "f16"}, {"concurrency": 0}, {"memo_mb": -1}, {"calibration_holes": 7}],
    ids=str,
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cannot run with"):
        DiffusionBackend(model="x", **options)


def test_options_that_contradict_each_other_are_refused_before_a_model_loads() -> None:
    params = replace(DENOISED, diffusion=DiffusionParams(sampler="p2", threshold=0.9))
    with pytest.raises(ConfigError, match="threshold"):
        DiffusionBackend.check_sampling(params)
