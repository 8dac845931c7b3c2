"""`ServerBackend` against llama.cpp's own server, a process of its own that serves SmolLM2."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from trueval.errors import BackendError
from trueval.generate.models import local_gguf
from trueval.generate.server import ServerBackend
from trueval.types import (
    ChatPrompt,
    Completion,
    Failure,
    Prompt,
    Request,
    SamplingParams,
    TextPrompt,
)

pytestmark = pytest.mark.model
pytest.importorskip("xllamacpp")

SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel = 2048, 4
# llama.cpp's threads wait for each other by spinning: on busy cores, two are slower than one.
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""

ADD = TextPrompt(text="def add(a, b):")
HELLO = ChatPrompt(messages=(("user", "Say hello."),))


@pytest.fixture(scope="module")
def smollm2_gguf() -> Path:
    return local_gguf("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def server_url(smollm2_gguf: Path) -> Iterator[str]:
    command = [sys.executable, "-c", SERVE, str(smollm2_gguf)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@pytest_asyncio.fixture
async def backend(server_url: str) -> AsyncIterator[ServerBackend]:
    backend = ServerBackend(base_url=server_url, concurrency=4, timeout_s=60)
    await backend.open()
    yield backend
    await backend.close()


def request_for(
    prompt: Prompt,
    index: int = 0,
    *,
    temperature: float = 0.0,
    max_tokens: int = 12,
    stop: tuple[str, ...] = (),
) -> Request:
    params = SamplingParams(temperature=temperature, max_tokens=max_tokens, stop=stop)
    return Request(
        problem_id="one", sample_index=index, model="smollm2", prompt=prompt, params=params
    )


async def complete(backend: ServerBackend, request: Request) -> Completion:
    answer = await backend.draw(request)
    assert isinstance(answer, Completion), answer
    return answer


async def test_opening_says_which_model_is_served(
    backend: ServerBackend, smollm2_gguf: Path
) -> None:
    about = await backend.open()
    assert about["id"] == str(smollm2_gguf)
    assert about["engine"] == "llamacpp"
    assert about["mode"] == "chat"
    assert "Q4_1" in about["revision"]
    # A resumed run must find the model that it left, and the server's clock has moved on.
    await asyncio.sleep(1.1)
    assert await backend.open() == about


async def test_a_model_that_is_not_served_is_said(server_url: str) -> None:
    with pytest.raises(BackendError, match="does not serve 'SmolLM2-135M'") as caught:
        await ServerBackend(base_url=server_url, model="SmolLM2-135M").open()
    assert "SmolLM2-135M-Instruct" in caught.value.hint


@pytest.mark.parametrize("prompt", [ADD, HELLO])
async def test_a_greedy_answer_is_cut_at_max_tokens_and_counted(
    backend: ServerBackend, prompt: Prompt
) -> None:
    answer = await complete(backend, request_for(prompt, max_tokens=6))
    assert answer.text
    assert (answer.finish_reason, answer.completion_tokens) == ("length", 6)
    assert answer.prompt_tokens > 5
    assert answer.duration_s > 0


@pytest.mark.parametrize("prompt", [ADD, HELLO])
async def test_greedy_is_the_same_each_time(backend: ServerBackend, prompt: Prompt) -> None:
    texts = {(await complete(backend, request_for(prompt, index))).text for index in range(3)}
    assert len(texts) == 1


async def test_a_sample_is_the_same_when_it_is_drawn_again_and_others_differ(
    backend: ServerBackend,
) -> None:
    requests = [request_for(ADD, index, temperature=1.0) for index in (0, 0, 1, 2)]
    first, again, *others = [await complete(backend, request) for request in requests]
    assert first.text == again.text
    assert len({first.text, *(other.text for other in others)}) == 3


async def test_a_stop_sequence_ends_the_text_before_it(backend: ServerBackend) -> None:
    whole = (await complete(backend, request_for(ADD))).text
    stop = whole.split()[1]
    cut = await complete(backend, request_for(ADD, stop=("never", stop)))
    assert (cut.text, cut.finish_reason) == (whole.partition(stop)[0], "stop")


async def test_a_chat_that_ends_by_itself_has_stopped(backend: ServerBackend) -> None:
    answer = await complete(backend, request_for(HELLO, max_tokens=100))
    assert answer.finish_reason == "stop"
    assert 0 < answer.completion_tokens < 100


async def test_a_prompt_beyond_the_context_is_a_failure_with_the_servers_words(
    backend: ServerBackend,
) -> None:
    failure = await backend.draw(request_for(TextPrompt(text="word " * 3000)))
    assert isinstance(failure, Failure)
    assert not failure.retryable
    assert failure.message.startswith("HTTP 400: ")
    assert "context" in failure.message


async def test_many_at_once_each_get_an_answer(backend: ServerBackend) -> None:
    prompts = [TextPrompt(text=f"def f{number}(a, b):") for number in range(8)]
    requests = [request_for(prompt, max_tokens=4) for prompt in prompts]
    answers = await asyncio.gather(*(backend.draw(request) for request in requests))
    assert all(isinstance(answer, Completion) for answer in answers)
