"""What trueval and an OpenAI-compatible server say to each other, without the network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from trueval.errors import BackendError, ConfigError, did_you_mean
from trueval.generate import common
from trueval.generate.vocabulary import special_stops
from trueval.types import ChatPrompt, Completion, InfillPrompt, Mode, Request, TextPrompt

NEUTRAL: Mapping[str, Mapping[str, Any]] = {
    "llamacpp": {"top_k": 0, "min_p": 0.0},
    "vllm": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "sglang": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
}
"""engine -> what switches off the sampling that it adds of its own accord.

llama.cpp keeps 40 tokens unless told otherwise; vLLM and SGLang take a model's
generation_config.json, which for some coders holds a repetition penalty and moves even greedy
scores. Ollama's OpenAI endpoint has no such switches.
"""

_OWNERS = {"library": "ollama"}
"""`owned_by` -> engine, where the two differ."""

_RESERVED = frozenset(
    {"model", "prompt", "messages", "n", "stream"}
    | {"max_tokens", "temperature", "top_p", "top_k", "stop", "seed"}
)
"""What `extra_body` cannot hold: a run's parameters say it, or the reader relies on it."""

_HOSTED_CHAT_NAME = re.compile(r"gpt-[345]|o[134]\b", re.IGNORECASE)
"""Hosted chat models whose names do not say that they chat."""

_CUT_SHORT = frozenset({"abort", "error", "timeout", "cancelled"})
"""Finish reasons of servers that gave up: the text so far is no answer."""


class BadAnswer(Exception):
    """An answer that is not what the API promises: corrupt, cut short, or without a text."""

    transient = True
    """Whether the same request may bring a good answer a little later."""


# --------------------------------------------------------------------------- what we send


def check_extra_body(extra: Mapping[str, Any]) -> None:
    """Refuse fields that would make a run other than its parameters say."""
    if taken := sorted(_RESERVED & extra.keys()):
        raise ConfigError(
            f"extra_body cannot set {', '.join(taken)}",
            hint="set sampling parameters in the run, and the model by name: the manifest has them",
        )


def encode(request: Request, *, model: str, always: Mapping[str, Any], engine: str = "") -> bytes:
    """The body that asks for one sample; `always` goes along and yields to the request's own."""
    params = request.params
    body: dict[str, Any] = {
        **always,
        "model": model,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_tokens": params.max_tokens,
        "seed": common.sample_seed(request),
    }
    # Neither is sent when off: the hosted APIs refuse `top_k`, and some servers an empty `stop`.
    if params.top_k:
        body["top_k"] = params.top_k
    if params.stop:
        body["stop"] = list(params.stop)
        body |= _seen_in_text(engine, special_stops(params.stop))
    match request.prompt:
        case TextPrompt(text=text):
            body["prompt"] = text
        case ChatPrompt(messages=messages):
            body["messages"] = [{"role": role, "content": text} for role, text in messages]
        case InfillPrompt(prefix=prefix, suffix=suffix):
            body |= {"prompt": prefix, "suffix": suffix}
    return json.dumps(body).encode()


def _seen_in_text(engine: str, stops: list[str]) -> dict[str, Any]:
    """What makes special tokens stop a text, which engines leave out of it before they look."""
    if stops and engine == "llamacpp":
        return {"preserved_tokens": stops}
    return {"skip_special_tokens": False} if stops and engine in ("vllm", "sglang") else {}


# --------------------------------------------------------------------------- what comes back


def decode(raw: bytes, request: Request, *, duration_s: float = 0.0) -> Completion:
    """The completion in an answer. Raises `BadAnswer` when there is none."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"corrupt JSON: {one_line(str(error))}") from None
    whole, reason = _first_choice(answer)
    # Some servers ignore `stop`, others keep the stop sequence; neither may change a score.
    text = common.cut_at_stop(whole, request.params.stop)
    usage = answer.get("usage")
    return Completion(
        text=text,
        finish_reason="length" if reason == "length" and text == whole else "stop",
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        duration_s=duration_s,
    )


def _first_choice(answer: Any) -> tuple[str, str | None]:
    """Text and finish reason of the first choice."""
    try:
        choice = answer["choices"][0]
        # `reasoning_content`, beside it in the message, is thought and not answer.
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        reason = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BadAnswer(f"no completion in the answer: {server_message(answer)}") from None
    if reason in _CUT_SHORT:
        raise BadAnswer(f"the server gave up: finish_reason {reason!r}")
    if text is None and reason:
        text = ""  # it ended without a word, or spent every token on reasoning
    if not isinstance(text, str):
        raise BadAnswer(f"the text of the answer is {one_line(repr(text))}")
    return text, reason


def server_message(answer: Any) -> str:
    """What a server says went wrong, in a line, wherever in the answer it says so."""
    if isinstance(answer, bytes):
        try:
            answer = json.loads(answer)
        except (ValueError, RecursionError):
            answer = answer.decode("utf-8", "replace")
    while isinstance(answer, dict):
        for name in ("error", "message", "detail"):
            if answer.get(name):
                answer = answer[name]
                break
        else:
            break
    return one_line(answer if isinstance(answer, str) else json.dumps(answer)) or "(no message)"


def one_line(text: str, longest: int = 200) -> str:
    """The text on one line, cut to `longest` characters."""
    line = " ".join(text[: 4 * longest].split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _count(usage: Any, name: str) -> int:
    """A token count, 0 when the server does not say."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) else 0


# --------------------------------------------------------------------------- models


def served_models(raw: bytes) -> list[dict[str, Any]]:
    """The models in an answer to /v1/models. Raises `BadAnswer` when it is no such answer."""
    try:
        models = json.loads(raw)["data"] or []  # Ollama without a model says null
        if all(isinstance(model["id"], str) for model in models):
            return list(models)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadAnswer(server_message(raw))


def choose_model(served: list[dict[str, Any]], name: str | None, where: str) -> dict[str, Any]:
    """The model of that name, or the only one. Raises `BackendError` that lists what is served."""
    if not served:
        raise BackendError(f"{where} serves no model", hint="load one, then run this again")
    ids = [model["id"] for model in served]
    if name is None and len(served) == 1:
        return served[0]
    if name is None:
        raise BackendError(
            f"{where} serves {len(ids)} models, and none was named", hint=f"model: {_some(ids)}"
        )
    for model in served:
        if name == model["id"] or name in (model.get("aliases") or ()):
            return model
    raise BackendError(f"{where} does not serve {name!r}", hint=did_you_mean(name, ids))


def describe(model: Mapping[str, Any], *, server_header: str | None) -> dict[str, Any]:
    """What a server says of a model: id, revision, engine, and its longest context if known."""
    owner = model.get("owned_by")
    meta = model.get("meta") or {}
    # Not `created`: llama.cpp and vLLM put the time of asking there, and a resumed run, whose
    # request keys hold the revision, would owe every sample again.
    told = [model.get("root"), meta.get("ftype"), meta.get("n_params"), meta.get("size")]
    about = {
        "id": model["id"],
        "revision": " ".join(str(part) for part in told if part) or "unknown",
        "engine": _OWNERS.get(str(owner), owner) or server_header or "unknown",
    }
    if longest := model.get("max_model_len") or meta.get("n_ctx"):
        about["max_model_len"] = longest
    return about


def guess_mode(model: str) -> Mode:
    """How a model served by that name or path wants to be asked."""
    # The last part alone: a folder called `chat` says nothing of the base model in it.
    name = model.rstrip("/").rpartition("/")[2]
    return "chat" if _HOSTED_CHAT_NAME.match(name) else common.guess_mode(name)


def _some(names: list[str], most: int = 12) -> str:
    """The names, or the first of them."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
