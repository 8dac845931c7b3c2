"""Infilling by servers: what is asked, what is read, and who is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import pytest

from trueval.generate import infilling
from trueval.generate import openai_api as api
from trueval.generate._retry import Backoff
from trueval.generate.server import ServerBackend
from trueval.types import Completion, Failure, InfillPrompt, Request, SamplingParams

from .faulty_server import FaultyServer


class SuffixServer(FaultyServer):
    """Counts prompt tokens as words, with those of the suffix or without."""

    def __init__(self, way: Literal["reads", "ignores", "rejects", "counts nothing"]) -> None:
        super().__init__(plan=self._plan)
        self.way = way

    def _plan(self, _prompt: str, _tried: int) -> Any:
        return "refuse" if self.way == "rejects" and "suffix" in self.bodies[-1] else "none"

    def _completion(self, prompt: str, is_chat: bool) -> bytes:
        words = len(prompt.split())
        if self.way == "reads":
            words += len(self.bodies[-1].get("suffix", "").split())
        self.usage = None if self.way == "counts nothing" else {"prompt_tokens": words}
        return super()._completion(prompt, is_chat)


def request(prefix: str = "a", suffix: str = "b", **params: Any) -> Request:
    return Request(
        problem_id=prefix,
        sample_index=0,
        model="m",
        prompt=InfillPrompt(prefix=prefix, suffix=suffix),
        params=SamplingParams(**params),
    )


async def three_draws(server: SuffixServer) -> list[Completion | Failure]:
    async with server:
        backend = ServerBackend(base_url=server.url, timeout_s=5)
        backend.backoff = Backoff(first_s=0.002, longest_s=0.01)
        await backend.open()
        try:
            draws = [backend.draw(request(prefix)) for prefix in ("x", "y", "z")]
            return [*await asyncio.gather(*draws)]
        finally:
            await backend.close()


async def test_a_server_that_reads_the_suffix_is_sent_it_and_probed_once() -> None:
    server = SuffixServer("reads")
    answers = await three_draws(server)
    assert [a.text for a in answers if isinstance(a, Completion)] == ["x", "y", "z"]
    assert [body["suffix"] for body in server.bodies[2:]] == ["b"] * 3
    assert len(server.bodies) == 5


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("ignores", "it ignores `suffix`"),
        ("counts nothing", "counts no prompt tokens"),
        ("rejects", "HTTP 400: This model's maximum context length"),
    ],
)
async def test_a_server_that_does_not_fill_holes_is_refused_once_for_all(
    way: Any, says: str
) -> None:
    server = SuffixServer(way)
    answers = await three_draws(server)
    assert len(server.bodies) == 2, "the two probes, and not one problem"
    for answer in answers:
        assert isinstance(answer, Failure)
        assert says in answer.message
        assert "--fim auto" in answer.message
        assert not answer.retryable


def test_infill_sends_what_a_completion_would_under_its_own_names() -> None:
    asked = request("p", "s", temperature=0.5, top_k=3, max_tokens=9, stop=("<|x|>", "\n\n"))
    body = json.loads(infilling.encode(asked, always={"top_k": 0, "min_p": 0.0}))
    assert (body["input_prefix"], body["input_suffix"]) == ("p", "s")
    assert (body["n_predict"], body["temperature"], body["top_k"], body["min_p"]) == (9, 0.5, 3, 0)
    assert (body["stop"], body["preserved_tokens"]) == (["<|x|>", "\n\n"], ["<|x|>"])


def test_a_middle_is_read_with_its_counts() -> None:
    answer = {"content": "xy", "prompt": "<P>p<S>s<M>", "stop_type": "limit"}
    raw = json.dumps({**answer, "tokens_evaluated": 5, "tokens_predicted": 2}).encode()
    middle = infilling.decode(raw, request("p", "s"))
    assert (middle.text, middle.finish_reason) == ("xy", "length")
    assert (middle.prompt_tokens, middle.completion_tokens) == (5, 2)
    assert infilling.decode(raw, request("p", "s", stop=("y",))).finish_reason == "stop"


@pytest.mark.parametrize(
    ("raw", "says", "transient"),
    [
        (b"{", "no middle", True),
        (b'{"error": {"message": "no FIM"}}', "no FIM", True),
        (b'{"content": 1, "prompt": ""}', "no text", True),
        (b'{"content": "x", "prompt": "<P>p<S><M>"}', "shortened", False),
    ],
)
def test_what_is_no_middle_is_said_to_be_none(raw: bytes, says: str, transient: bool) -> None:
    with pytest.raises(api.BadAnswer, match=says) as caught:
        infilling.decode(raw, request("p", "suffix"))
    assert caught.value.transient is transient


@pytest.mark.parametrize(
    ("engine", "sent"),
    [
        ("llamacpp", {"preserved_tokens": ["<|x|>"]}),
        ("vllm", {"skip_special_tokens": False}),
        ("sglang", {"skip_special_tokens": False}),
        ("ollama", {}),
    ],
)
def test_an_engine_is_told_to_let_special_stops_be_seen(engine: str, sent: dict[str, Any]) -> None:
    def extra(stop: tuple[str, ...]) -> dict[str, Any]:
        body = json.loads(api.encode(request(stop=stop), model="m", always={}, engine=engine))
        return {
            key: body[key] for key in ("preserved_tokens", "skip_special_tokens") if key in body
        }

    assert extra(("\ndef", "<|x|>")) == sent
    assert extra(("\ndef",)) == {}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"token_strs": ["<fim_prefix>", "<", "fim", "<fim_pad>"]}, ["<fim_pad>", "<fim_prefix>"]),
        (
            {"tokens": [{"id": 1, "piece": "<fim_prefix>"}, {"id": 2, "piece": [195]}]},
            ["<fim_prefix>"],
        ),
        ({"tokens": [1, 2]}, None),
        ({"choices": []}, None),
        ([], None),
    ],
)
def test_tokens_are_found_whole_or_not_at_all(answer: Any, found: list[str] | None) -> None:
    assert infilling.tokens_found(json.dumps(answer).encode()) == found
