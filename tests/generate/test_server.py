"""`ServerBackend` against a server that drops, delays, refuses and corrupts."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

import pytest

from trueval.errors import BackendError, ConfigError
from trueval.generate import openai_api
from trueval.generate._retry import Backoff, parse_retry_after
from trueval.generate.common import sample_seed
from trueval.generate.server import ServerBackend
from trueval.protocols import Backend
from trueval.types import (
    ChatPrompt,
    Completion,
    Failure,
    InfillPrompt,
    Prompt,
    Request,
    SamplingParams,
    TextPrompt,
)

from .faulty_server import TRANSIENT, Fault, FaultyServer, http

QUICK = Backoff(first_s=0.002, longest_s=0.01)


@pytest.fixture(autouse=True)
def no_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def request_for(prompt: Prompt | str = "one", index: int = 0, **params: Any) -> Request:
    text = TextPrompt(text=prompt) if isinstance(prompt, str) else prompt
    name = prompt if isinstance(prompt, str) else "one"
    return Request(
        problem_id=name,
        sample_index=index,
        model="echo",
        prompt=text,
        params=SamplingParams(**params),
    )


def backend_for(server: FaultyServer, **options: Any) -> ServerBackend:
    backend = ServerBackend(base_url=server.url, **{"timeout_s": 5, **options})
    backend.backoff = QUICK
    return backend


async def draw(
    server: FaultyServer, request: Request | None = None, **options: Any
) -> Completion | Failure:
    """One draw from a server that runs for its duration."""
    async with server:
        backend = backend_for(server, **options)
        await backend.open()
        try:
            return await backend.draw(request or request_for())
        finally:
            await backend.close()


def failing(fault: Fault, times: int = 1_000_000) -> Callable[[str, int], Fault]:
    """A plan: this fault so many times, then a good answer."""
    return lambda _prompt, tried: fault if tried <= times else "none"


# --------------------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", TRANSIENT)
async def test_a_fault_that_passes_is_tried_again_until_it_has(fault: Fault) -> None:
    server = FaultyServer(failing(fault, times=2))
    answer = await draw(server, timeout_s=0.15)
    assert isinstance(answer, Completion), answer
    assert (answer.text, server.tries["one"]) == ("one", 3)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("drop", "ServerDisconnected"),
        ("hang", "no answer within 0.1 s"),
        ("busy", "HTTP 429: busy"),
        ("error", "HTTP 500: <html>Internal Server Error</html>"),
        ("corrupt", "corrupt JSON"),
        ("truncated", "ClientPayloadError"),
        ("short_json", "corrupt JSON"),
        ("no_choices", "no completion in the answer"),
        ("error_in_200", "maximum context length"),
        ("not_http", "Error"),
        ("aborted", "finish_reason 'abort'"),
        ("drop_after", "HTTP 503"),
    ],
)
async def test_a_fault_that_stays_is_a_failure_that_may_be_retried(fault: Fault, says: str) -> None:
    server = FaultyServer(failing(fault))
    failure = await draw(server, retries=2, timeout_s=0.1)
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.retryable, server.tries["one"]) == ("generate", True, 3)
    assert says in failure.message
    assert failure.message.endswith("(tried 3 times)")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "refuse",
            "HTTP 400: This model's maximum context length is 512 tokens. You asked for 700.",
        ),
        ("html", "HTTP 404: <html>no such page</html>"),
    ],
)
async def test_a_refused_request_is_not_sent_again(fault: Fault, message: str) -> None:
    server = FaultyServer(failing(fault))
    failure = await draw(server)
    assert failure == Failure(stage="generate", message=message, retryable=False)
    assert server.tries["one"] == 1


async def test_no_retries_means_one_try() -> None:
    server = FaultyServer(failing("error"))
    assert isinstance(await draw(server, retries=0), Failure)
    assert server.tries["one"] == 1


async def test_retry_after_is_honoured() -> None:
    server = FaultyServer(failing("busy", times=1), retry_after="0.3")
    started = time.perf_counter()
    assert isinstance(await draw(server), Completion)
    assert time.perf_counter() - started >= 0.3


async def test_a_server_that_goes_away_fails_the_request_and_not_the_run() -> None:
    async with FaultyServer() as server:
        backend = backend_for(server, retries=1)
        await backend.open()
    failure = await backend.draw(request_for())
    await backend.close()
    assert isinstance(failure, Failure)
    assert failure.retryable


async def test_two_hundred_at_once_under_random_faults_lose_and_cross_nothing() -> None:
    def plan(prompt: str, tried: int) -> Fault:
        chance = random.Random(f"{prompt}/{tried}")
        if prompt.endswith("7"):
            return "refuse"
        return chance.choice(TRANSIENT) if chance.random() < 0.5 else "none"

    requests = [request_for(f"problem {number}") for number in range(200)]
    async with FaultyServer(plan) as server:
        backend = backend_for(server, concurrency=50, retries=6, timeout_s=0.4)
        await backend.open()
        answers = await asyncio.gather(*(backend.draw(request) for request in requests))
        await backend.close()
    for request, answer in zip(requests, answers, strict=True):
        if isinstance(answer, Completion):
            assert answer.text == request.problem_id
        else:
            assert request.problem_id.endswith("7") or server.tries[request.problem_id] == 7
            assert answer.retryable != request.problem_id.endswith("7")
    assert sum(isinstance(answer, Completion) for answer in answers) >= 170
    # 180 of them fail every other time, 20 are refused at once: the retries are no stampede.
    assert len(server.bodies) < 200 * 2.5


async def test_waiting_for_a_free_connection_is_not_held_against_the_server() -> None:
    async with FaultyServer(failing("slow")) as server:
        backend = backend_for(server, concurrency=1, retries=0, timeout_s=0.5)
        await backend.open()
        answers = await asyncio.gather(*(backend.draw(request_for(f"{n}")) for n in range(4)))
        await backend.close()
    for answer in answers:
        assert isinstance(answer, Completion), answer
        assert answer.duration_s < 0.5


async def test_cancelling_a_draw_ends_it() -> None:
    async with FaultyServer(failing("hang")) as server:
        backend = backend_for(server)
        await backend.open()
        task = asyncio.create_task(backend.draw(request_for()))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.close()


# --------------------------------------------------------------------------- what is sent


async def test_a_completion_request_says_what_its_parameters_say() -> None:
    server = FaultyServer()
    stop = ("\nclass", "\ndef")
    request = request_for(temperature=0.8, top_p=0.95, top_k=20, max_tokens=7, stop=stop, seed=3)
    await draw(server, request, extra_body={"min_p": 0.1})
    assert server.bodies == [
        {
            "model": "echo-1b",
            "prompt": "one",
            "temperature": 0.8,
            "top_p": 0.95,
            "top_k": 20,
            "max_tokens": 7,
            "stop": list(stop),
            "seed": sample_seed(request),
            "min_p": 0.1,
        }
    ]
    assert server.heads[-1].startswith("POST /v1/completions ")


async def test_a_chat_request_sends_messages_and_reads_the_content_alone() -> None:
    server = FaultyServer()
    prompt = ChatPrompt(messages=(("system", "Be brief."), ("user", "héllo ✓")))
    answer = await draw(server, request_for(prompt))
    assert isinstance(answer, Completion)
    assert answer.text == "héllo ✓"
    assert server.heads[-1].startswith("POST /v1/chat/completions ")
    assert server.bodies[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "héllo ✓"},
    ]
    assert not {"top_k", "stop", "prompt"} & server.bodies[0].keys()


async def test_an_engine_that_adds_sampling_of_its_own_is_told_not_to() -> None:
    server = FaultyServer(models=[{"id": "m", "owned_by": "vllm"}])
    await draw(server, request_for(top_k=5))
    assert (server.bodies[-1]["repetition_penalty"], server.bodies[-1]["min_p"]) == (1.0, 0.0)
    assert server.bodies[-1]["top_k"] == 5


async def test_every_sample_is_sent_a_seed_of_its_own() -> None:
    async with FaultyServer() as server:
        backend = backend_for(server)
        await backend.open()
        for index in (0, 1, 0):
            await backend.draw(request_for(index=index))
        await backend.close()
    first, second, again = (body["seed"] for body in server.bodies)
    assert first == again != second
    assert all(0 <= seed < 2**31 for seed in (first, second))


@pytest.mark.parametrize("field", ["temperature", "n", "stream", "model", "stop"])
def test_extra_body_cannot_overrule_what_the_manifest_says(field: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot set {field}"):
        ServerBackend(base_url="http://localhost:8000", extra_body={field: 1})


async def test_an_infill_prompt_is_a_failure_that_says_why() -> None:
    server = FaultyServer()
    failure = await draw(server, request_for(InfillPrompt(prefix="a", suffix="b")))
    assert isinstance(failure, Failure)
    assert "infilling" in failure.message
    assert not failure.retryable


async def test_connections_are_used_again() -> None:
    async with FaultyServer() as server:
        backend = backend_for(server, concurrency=4)
        await backend.open()
        await asyncio.gather(*(backend.draw(request_for(f"{n}")) for n in range(100)))
        await backend.close()
        await backend.close()
    assert server.connections <= 4


# --------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    ("choice", "text", "finish_reason"),
    [
        ({"text": "a", "finish_reason": "length"}, "a", "length"),
        ({"text": "a", "finish_reason": "stop"}, "a", "stop"),
        ({"text": "a", "finish_reason": "eos"}, "a", "stop"),
        ({"text": "a"}, "a", "stop"),
        ({"text": None, "finish_reason": "stop"}, "", "stop"),
        ({"message": {"content": None}, "finish_reason": "length"}, "", "length"),
        ({"message": {"content": "b", "reasoning_content": "c"}}, "b", "stop"),
        # A server that ignores `stop`, or keeps the stop sequence, moves no score.
        ({"text": "a\ndef b\nclass c", "finish_reason": "length"}, "a", "stop"),
        ({"text": "a\nclass c\ndef b", "finish_reason": "length"}, "a", "stop"),
        ({"text": "a\ndef", "finish_reason": "stop"}, "a", "stop"),
        ({"text": "\ndef", "finish_reason": "stop"}, "", "stop"),
    ],
)
async def test_an_answer_is_read(choice: dict[str, Any], text: str, finish_reason: str) -> None:
    server = FaultyServer(choice=choice)
    answer = await draw(server, request_for(stop=("\nclass", "\ndef")))
    assert isinstance(answer, Completion), answer
    assert (answer.text, answer.finish_reason) == (text, finish_reason)
    assert (answer.prompt_tokens, answer.completion_tokens) == (0, 0)
    assert answer.duration_s > 0


@pytest.mark.parametrize(
    "choice",
    [{}, {"text": None}, {"text": 3}, {"message": {}}, {"message": None}, {"message": "text"}],
)
async def test_an_answer_without_a_text_is_no_empty_completion(choice: dict[str, Any]) -> None:
    server = FaultyServer(choice=choice)
    answer = await draw(server, retries=1)
    assert isinstance(answer, Failure)
    assert server.tries["one"] == 2


async def test_token_counts_are_the_servers() -> None:
    server = FaultyServer(usage={"prompt_tokens": 5, "completion_tokens": 3})
    answer = await draw(server)
    assert isinstance(answer, Completion)
    assert (answer.prompt_tokens, answer.completion_tokens) == (5, 3)


def test_a_long_message_is_cut_to_a_line() -> None:
    said = openai_api.server_message(b'{"detail": "' + b"a b\\n" * 10_000 + b'"}')
    assert len(said) == 200
    assert "\n" not in said


# --------------------------------------------------------------------------- opening


async def opened(server: FaultyServer, **options: Any) -> Mapping[str, Any]:
    """What `open` says of a server."""
    async with server:
        backend = backend_for(server, **{"retries": 0, **options})
        assert isinstance(backend, Backend)
        try:
            return await backend.open()
        finally:
            await backend.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_opening_says_what_the_model_is() -> None:
    model = {"id": "org/coder-Instruct", "owned_by": "vllm", "root": "org/c", "created": 1}
    server = FaultyServer(models=[{**model, "max_model_len": 4096}])
    assert await opened(server) == {
        "id": "org/coder-Instruct",
        "revision": "org/c",
        "engine": "vllm",
        "max_model_len": 4096,
        "mode": "chat",
        "base_url": server.url,
        "pinned": False,
        "always_sent": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    }


async def test_what_a_server_does_not_say_is_unknown() -> None:
    about = await opened(FaultyServer(models=[{"id": "m"}]), mode="chat")
    assert (about["revision"], about["engine"], about["mode"]) == ("unknown", "faulty", "chat")


async def test_nobody_listening_is_said_with_the_command_to_start_a_server() -> None:
    port = free_port()
    backend = ServerBackend(base_url=f"http://127.0.0.1:{port}/v1/")
    with pytest.raises(BackendError, match=f"no server at http://127.0.0.1:{port}: ") as caught:
        await backend.open()
    assert "vllm serve" in caught.value.hint


async def test_a_host_that_does_not_exist_is_said() -> None:
    with pytest.raises(BackendError, match=r"no server at http://nowhere\.invalid:8000"):
        await ServerBackend(base_url="nowhere.invalid:8000").open()


async def test_a_server_that_accepts_and_never_answers_is_said() -> None:
    async with FaultyServer() as server:
        server.models_answer = b""
        with pytest.raises(BackendError, match=r"does not answer within 0\.1 s"):
            await backend_for(server, timeout_s=0.1).open()


TWO = ({"id": "coder-1b"}, {"id": "coder-7b", "aliases": ["big"]})


async def test_a_wrong_model_name_is_met_with_the_right_one() -> None:
    with pytest.raises(BackendError, match="does not serve 'coder-1'") as caught:
        await opened(FaultyServer(models=TWO), model="coder-1")
    assert "did you mean 'coder-1b'?" in caught.value.hint


async def test_several_models_and_no_name_are_listed() -> None:
    with pytest.raises(BackendError, match="serves 2 models") as caught:
        await opened(FaultyServer(models=TWO))
    assert "coder-1b, coder-7b" in caught.value.hint


async def test_a_model_goes_by_its_alias_too() -> None:
    assert (await opened(FaultyServer(models=TWO), model="big"))["id"] == "coder-7b"


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        (http(200, b"<html>hi</html>"), "does not speak the OpenAI API: .*<html>hi", "curl"),
        (http(404, b"<html>hi</html>"), "does not speak the OpenAI API: HTTP 404", "before /v1"),
        (http(200, b'{"data": [{}]}'), "does not speak the OpenAI API", "curl"),
        (b"220 smtp ready\r\n\r\n", "does not speak the OpenAI API", "curl"),
        (http(200, b'{"data": null}'), "serves no model", "load one"),
        (http(401, b'{"error": "no key"}'), "wants an API key: HTTP 401: no key", "OPENAI_API_KEY"),
        (http(503, b'{"error": {"message": "Loading model"}}'), "not ready: .*Loading", "log"),
        (http(301, b"", "Location: https://x/v1/models"), "redirects", "base_url: https://x"),
    ],
)
async def test_a_server_of_no_use_is_named_as_what_it_is(
    answer: bytes, says: str, hint: str
) -> None:
    with pytest.raises(BackendError, match=says) as caught:
        await opened(FaultyServer(models_answer=answer))
    assert hint in caught.value.hint
    assert caught.value.exit_code == 4


async def test_a_key_is_sent_and_a_refused_one_is_called_so() -> None:
    server = FaultyServer(models_answer=http(401, b"{}"))
    with pytest.raises(BackendError, match="refuses this API key"):
        await opened(server, api_key="secret\n")
    assert "Authorization: Bearer secret\r\n" in server.heads[0]


async def test_the_key_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    server = FaultyServer()
    await opened(server)
    assert "Authorization: Bearer from-env\r\n" in server.heads[0]


@pytest.mark.parametrize(
    ("given", "root", "is_local"),
    [
        ("http://localhost:8000", "http://localhost:8000", True),
        ("http://localhost:8000/v1/", "http://localhost:8000", True),
        (" 127.0.0.1:8000/v1", "http://127.0.0.1:8000", True),
        ("http://[::1]:8000/", "http://[::1]:8000", True),
        ("http://0.0.0.0:8000", "http://0.0.0.0:8000", True),
        ("https://api.example.com/openai/v1", "https://api.example.com/openai", False),
        ("http://10.0.0.7:8000", "http://10.0.0.7:8000", False),
    ],
)
def test_an_address_is_taken_in_every_usual_form(given: str, root: str, is_local: bool) -> None:
    backend = ServerBackend(base_url=given)
    assert (backend.base_url, backend.shares_cores) == (root, is_local)


@pytest.mark.parametrize("address", ["", "ftp://host", "http://", "http://host:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="no http address"):
        ServerBackend(base_url=address)


async def test_a_password_in_the_address_is_used_and_not_shown() -> None:
    async with FaultyServer() as server:
        backend = ServerBackend(base_url=server.url.replace("//", "//me:hidden@"))
        about = await backend.open()
        await backend.close()
    assert about["base_url"] == server.url
    assert "Authorization: Basic " in server.heads[0]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct", "chat"),
        ("google/gemma-2b-it", "chat"),
        ("deepseek-ai/deepseek-llm-7b-chat", "chat"),
        ("gpt-4o-mini", "chat"),
        ("/models/chat/SmolLM2-135M-Instruct.Q4_1.gguf", "chat"),
        ("/models/instruct/starcoder2-3b", "completion"),
        ("bigcode/santacoder", "completion"),
        ("org/bitnet-3b", "completion"),
        ("Salesforce/codegen-350M-multi", "completion"),
    ],
)
def test_a_mode_is_guessed_from_the_name(name: str, mode: str) -> None:
    assert openai_api.guess_mode(name) == mode


# --------------------------------------------------------------------------- waiting


def test_waits_double_with_jitter_and_stay_bounded() -> None:
    backoff = Backoff(first_s=1, longest_s=8, longest_asked_s=60)
    for failed_tries, longest_s in [(1, 1), (2, 2), (4, 8), (5, 8), (5000, 8)]:
        delays = [backoff.delay_s(failed_tries) for _ in range(100)]
        assert longest_s / 2 <= min(delays) < max(delays) <= longest_s
    assert 30 <= backoff.delay_s(1, 30) <= 33
    assert 60 <= backoff.delay_s(1, 86400) <= 61


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("soon", None), ("2.5", 2.5), ("-3", 0.0), ("nan", 0.0)],
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    seconds = parse_retry_after(formatdate(time.time() + 30, usegmt=True))
    assert seconds is not None
    assert 28 <= seconds <= 30
