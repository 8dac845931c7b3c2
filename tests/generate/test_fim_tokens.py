"""FIM prompts end to end: tokens reach each engine's model as tokens, and end its middle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trueval.generate.gguf import read_gguf
from trueval.generate.server import ServerBackend
from trueval.generate.vocabulary import FIM_TOKENS, fim_tokens, special_stops
from trueval.prompts.fim import FimPrompt, Native, formats, strategy
from trueval.protocols import Backend
from trueval.types import (
    Completion,
    Failure,
    InfillPrompt,
    Problem,
    Prompt,
    Request,
    SamplingParams,
)

from .chain_model import SPECIAL, write_checkpoint, write_gguf

FOUND = sorted(set(SPECIAL) - {"<|endoftext|>", "<|custom|>"})
PROBLEM = Problem(problem_id="p", prefix="ab", suffix="cd", entry_point="f")
PROMPT_TOKENS = 3 + len("ab") + len("cd")

SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel = 1024, 2
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf")
    return write_gguf(tmp_path_factory.mktemp("chain") / "chain.gguf")


@pytest.fixture(scope="module")
def server_url(chain: Path) -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    command = [sys.executable, "-c", SERVE, str(chain)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipe) as server:  # type: ignore[call-overload]
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def request(prompt: Prompt, **params: Any) -> Request:
    return Request(
        problem_id="p",
        sample_index=0,
        model="chain",
        prompt=prompt,
        params=SamplingParams(**{"max_tokens": 6, **params}),
    )


async def draw(backend: Backend, asked: Request) -> Completion:
    result = await backend.draw(asked)
    assert isinstance(result, Completion), result
    return result


async def fills_a_hole(backend: Backend) -> None:
    """The whole way: vocabulary, detected format, raw prompt, special stop."""
    try:
        about = await backend.open()
        assert about["fim_tokens"] == FOUND
        asking = strategy("auto", hole="span", vocabulary=about["fim_tokens"])
        assert isinstance(asking, FimPrompt)
        assert asking.format.name == "qwen2.5-coder"
        whole = await draw(backend, request(asking(PROBLEM)))
        # As text, the tokens would be dozens, and what follows the last of them is another byte.
        assert (whole.text, whole.prompt_tokens) == ("xyZZZ", PROMPT_TOKENS)
        assert whole.finish_reason == "length"
        ended = await draw(backend, request(asking(PROBLEM), stop=(*asking.stop, "<|custom|>")))
        assert (ended.text, ended.finish_reason) == ("xy", "stop")
        assert ended.completion_tokens <= 3
    finally:
        await backend.close()


async def test_transformers_fills_a_hole(tmp_path: Path) -> None:
    for package in ("torch", "transformers", "tokenizers"):
        pytest.importorskip(package)
    from trueval.generate.transformers import TransformersBackend

    await fills_a_hole(TransformersBackend(model=str(write_checkpoint(tmp_path)), dtype="float32"))


async def test_llamacpp_fills_a_hole(chain: Path) -> None:
    pytest.importorskip("xllamacpp")
    from trueval.generate.llamacpp import LlamaCppBackend

    await fills_a_hole(LlamaCppBackend(model=str(chain), concurrency=1, context=256, threads=1))


async def test_openvino_fills_a_hole(chain: Path) -> None:
    pytest.importorskip("openvino_genai")
    from trueval.generate.openvino import OpenVINOBackend

    await fills_a_hole(OpenVINOBackend(model=str(chain), concurrency=2, threads=1))


async def test_a_llamacpp_server_fills_a_hole(server_url: str) -> None:
    await fills_a_hole(ServerBackend(base_url=server_url, timeout_s=30))


async def test_a_llamacpp_server_fills_the_hole_itself(server_url: str) -> None:
    backend = ServerBackend(base_url=server_url, timeout_s=30)
    await backend.open()
    try:
        assert await backend.why_not_infill() == ""
        middle = await draw(backend, request(Native()(PROBLEM), stop=("<|custom|>",)))
        assert (middle.text, middle.finish_reason) == ("xy", "stop")
        assert middle.prompt_tokens == PROMPT_TOKENS
        cut = await draw(backend, request(Native()(PROBLEM), max_tokens=1))
        assert (cut.text, cut.finish_reason, cut.completion_tokens) == ("x", "length", 1)
    finally:
        await backend.close()


async def test_a_prefix_that_llamacpp_would_shorten_is_refused(server_url: str) -> None:
    backend = ServerBackend(base_url=server_url, timeout_s=30)
    await backend.open()
    try:
        long = InfillPrompt(prefix="a" * 100, suffix="b" * 3000)
        result = await backend.draw(request(long))
        assert isinstance(result, Failure)
        assert not result.retryable
    finally:
        await backend.close()


# --------------------------------------------------------------------------- the vocabulary


def test_a_gguf_file_says_which_tokens_are_special(chain: Path) -> None:
    assert read_gguf(chain).special_ids == {token: 256 + i for i, token in enumerate(SPECIAL)}


@pytest.mark.parametrize("form", formats().values(), ids=lambda form: form.name)
def test_backends_report_every_token_that_a_format_is_told_by(form: Any) -> None:
    needed = {*form.tokens, *form.marks}
    assert needed <= set(FIM_TOKENS)
    assert fim_tokens([*needed, "<|im_start|>", "hello"]) == sorted(needed)
    assert set(special_stops(form.tokens)) == set(form.tokens)


def test_a_token_of_an_unknown_format_is_reported_too() -> None:
    assert fim_tokens(["<[fim-prefix]>", "<s>"]) == ["<[fim-prefix]>"]


@pytest.mark.parametrize("stop", ["\ndef", "```", "<", "[x", "\n<|x|>", "\nprint"])
def test_a_stop_that_is_plain_text_is_not_taken_for_a_token(stop: str) -> None:
    assert special_stops([stop]) == []
