"""How servers are asked to fill a hole: llama.cpp's `/infill`, and the `suffix` of completions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trueval.generate import common
from trueval.generate import openai_api as api
from trueval.generate.vocabulary import FIM_TOKENS, fim_tokens, special_stops
from trueval.types import Completion, InfillPrompt, Request, SamplingParams

INSTEAD = (
    "--fim auto (or a format's name) writes the FIM tokens out, and needs nothing of the server"
)
"""What to type where a server does not fill holes."""

_LONG_SUFFIX = "\n" + "    total = total + value\n" * 12
_MARGIN = 20
"""How many more prompt tokens a server must count that reads the long suffix."""


class Shortened(api.BadAnswer):
    """An answer to another problem than the one that was set."""

    transient = False


# --------------------------------------------------------------------------- llama.cpp's /infill


def encode(request: Request, *, always: Mapping[str, Any]) -> bytes:
    """The body of `POST /infill` that asks for one middle."""
    params, prompt = request.params, request.prompt
    assert isinstance(prompt, InfillPrompt)
    body: dict[str, Any] = {
        **always,
        "input_prefix": prompt.prefix,
        "input_suffix": prompt.suffix,
        "n_predict": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "seed": common.sample_seed(request),
        "stop": list(params.stop),
        "preserved_tokens": special_stops(params.stop),
        "repeat_penalty": 1.0,
    }
    if params.top_k:
        body["top_k"] = params.top_k
    return json.dumps(body).encode()


def decode(raw: bytes, request: Request, *, duration_s: float = 0.0) -> Completion:
    """The middle in an answer of `/infill`. Raises `BadAnswer` when there is none."""
    try:
        answer = json.loads(raw)
        whole, prompt = answer["content"], answer["prompt"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise api.BadAnswer(f"no middle in the answer: {api.server_message(raw)}") from None
    asked = request.prompt
    assert isinstance(asked, InfillPrompt)
    if not isinstance(whole, str) or not isinstance(prompt, str):
        raise api.BadAnswer("the middle in the answer is no text")
    # It cuts what does not fit its batch, without a word.
    if asked.prefix not in prompt or asked.suffix not in prompt:
        raise Shortened(
            "the server shortened prefix or suffix; start llama-server with a larger --batch-size"
        )
    text = common.cut_at_stop(whole, request.params.stop)
    at_limit = answer.get("stop_type") == "limit" and text == whole
    return Completion(
        text=text,
        finish_reason="length" if at_limit else "stop",
        prompt_tokens=int(answer.get("tokens_evaluated") or 0),
        completion_tokens=int(answer.get("tokens_predicted") or 0),
        duration_s=duration_s,
    )


# --------------------------------------------------------------------------- probes


def suffix_probes() -> tuple[Request, Request]:
    """A tiny request without anything after its hole, and the same with a long suffix."""
    short, long = (
        Request(
            problem_id="suffix-probe",
            sample_index=0,
            model="",
            prompt=InfillPrompt(prefix="def f(values):\n    total = 0\n", suffix=suffix),
            params=SamplingParams(max_tokens=1),
        )
        for suffix in ("", _LONG_SUFFIX)
    )
    return short, long


def why_suffix_is_ignored(short: Completion, long: Completion) -> str:
    """Why the answers to the probes do not show that `suffix` is read; empty when they do."""
    # By the prompt's length: a text may be the same with the suffix, or differ without it.
    if not short.prompt_tokens or not long.prompt_tokens:
        return "counts no prompt tokens, so that nothing shows whether `suffix` is read"
    if long.prompt_tokens - short.prompt_tokens < _MARGIN:
        return "ignores `suffix`"
    return ""


def tokenize_body(engine: str, model: str) -> dict[str, Any] | None:
    """The body of `POST /tokenize` that shows the FIM tokens; None: there is no such endpoint."""
    text = "".join(FIM_TOKENS)
    if engine == "llamacpp":
        return {"content": text, "add_special": False, "parse_special": True, "with_pieces": True}
    if engine == "vllm":
        return {
            "model": model,
            "prompt": text,
            "add_special_tokens": False,
            "return_token_strs": True,
        }
    return None


def tokens_found(raw: bytes) -> list[str] | None:
    """The FIM tokens in an answer of `/tokenize`; None when it does not tell."""
    try:
        answer = json.loads(raw)
        pieces = answer.get("token_strs") or [token["piece"] for token in answer["tokens"]]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    # A token that the vocabulary lacks comes in pieces, none of which is all of it.
    return fim_tokens(piece for piece in pieces if isinstance(piece, str) and piece in FIM_TOKENS)
