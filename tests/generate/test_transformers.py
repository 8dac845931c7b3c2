"""The transformers backend on a tiny checkpoint with random weights, made here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from trueval.errors import BackendError, ConfigError
from trueval.generate.transformers import TransformersBackend
from trueval.types import ChatPrompt, Completion, Failure, Request, SamplingParams, TextPrompt

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

PROMPTS = ["def add(a, b):", "x", "for i in range(10):\n    print(i)", "class A:\n    def f(self):"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-instruct")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocab = {"<|end|>": 0, **{c: i + 1 for i, c in enumerate(alphabet)}}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    fast.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(vocab),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        eos_token_id=0,
        initializer_range=0.5,  # far from uniform, so that argmax does not hang on rounding
    )
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
async def backend(checkpoint: Path) -> AsyncIterator[TransformersBackend]:
    backend = TransformersBackend(model=str(checkpoint), concurrency=4, dtype="float32")
    await backend.open()
    yield backend
    await backend.close()


def request(text: str, index: int = 0, **params: object) -> Request:
    return Request(
        problem_id=text,
        sample_index=index,
        model="tiny",
        prompt=TextPrompt(text=text),
        params=SamplingParams(**{"max_tokens": 24, **params}),  # type: ignore[arg-type]
    )


async def texts(backend: TransformersBackend, requests: list[Request]) -> list[str]:
    results = await asyncio.gather(*map(backend.draw, requests))
    assert all(isinstance(result, Completion) for result in results), results
    return [result.text for result in results if isinstance(result, Completion)]


async def test_opening_says_what_the_model_is(checkpoint: Path) -> None:
    backend = TransformersBackend(model=str(checkpoint))
    about = await backend.open()
    await backend.close()
    assert about["precision"] == "float32"
    assert about["context_length"] == 256
    assert {"id", "revision", "mode"} <= about.keys()


@pytest.mark.parametrize("temperature", [0.0, 0.9])
async def test_a_row_is_the_same_alone_and_in_a_batch(
    backend: TransformersBackend, temperature: float
) -> None:
    requests = [request(text, temperature=temperature, top_p=0.9) for text in PROMPTS]
    together = await texts(backend, requests)
    alone = [(await texts(backend, [one]))[0] for one in requests]
    assert together == alone


async def test_greedy_text_is_what_generate_writes(
    backend: TransformersBackend, checkpoint: Path
) -> None:
    net = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    for text in PROMPTS:
        ids = tokenizer(text, return_tensors="pt")
        out = net.generate(**ids, max_new_tokens=24, do_sample=False, pad_token_id=0)
        expected = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        assert await texts(backend, [request(text)]) == [expected]


async def test_samples_of_one_problem_differ(backend: TransformersBackend) -> None:
    drawn = await texts(backend, [request("x", index, temperature=1.0) for index in range(4)])
    assert len(set(drawn)) > 1


async def test_text_ends_before_the_stop(backend: TransformersBackend) -> None:
    (whole,) = await texts(backend, [request("x")])
    stop = whole[5:8]
    (cut,) = await texts(backend, [request("x", stop=(stop,))])
    assert cut == whole[: whole.index(stop)]


async def test_too_long_a_prompt_is_a_failure(backend: TransformersBackend) -> None:
    result = await backend.draw(request("x" * 300))
    assert isinstance(result, Failure)
    assert "300 tokens" in result.message


async def test_chat_goes_through_the_template(backend: TransformersBackend) -> None:
    chat = Request(
        problem_id="p",
        sample_index=0,
        model="tiny",
        prompt=ChatPrompt(messages=(("user", "hi"),)),
        params=SamplingParams(max_tokens=8),
    )
    result = await backend.draw(chat)
    assert isinstance(result, Completion)
    assert result.prompt_tokens == len("user: hi\n")


async def test_closing_ends_what_runs(checkpoint: Path) -> None:
    backend = TransformersBackend(model=str(checkpoint))
    await backend.open()
    drawing = asyncio.create_task(backend.draw(request("x", max_tokens=200)))
    await asyncio.sleep(0.05)
    await backend.close()
    await backend.close()
    assert isinstance(await drawing, Completion | Failure)
    assert isinstance(await backend.draw(request("x")), Failure)


async def test_a_broken_checkpoint_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BackendError, match="could not load"):
        await TransformersBackend(model=str(tmp_path)).open()


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ConfigError, match="float7"):
        TransformersBackend(model="x", dtype="float7")
