"""Requests as gaps for the diffusion engine, and its fillings as completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueval.errors import ConfigError
from trueval.generate.chat import chat_ids
from trueval.generate.common import cut_at_stop
from trueval.types import (
    ChatPrompt,
    Completion,
    DiffusionParams,
    InfillPrompt,
    Prompt,
    Request,
    SamplingParams,
)

if TYPE_CHECKING:
    from trueval.diffusion.adapters import Adapter
    from trueval.diffusion.gaps import Filling, Gap
    from trueval.diffusion.lengths import Found, Search
    from trueval.diffusion.model import Model
    from trueval.diffusion.settings import Settings

MASK = "░"
"""What a mask is shown as in a history."""
HOLES = 160
"""Holes of Python's library that the search for a gap's length is calibrated on."""
LONGEST = 64
"""Tokens to which a model that makes gaps longer may bring one; no less than it was given."""


def settings_of(params: SamplingParams) -> Settings:
    """The engine's settings of a request. Raises `ConfigError` for what contradicts itself."""
    from trueval.diffusion.settings import Settings

    diffusion = params.diffusion or DiffusionParams()
    if diffusion.hole and diffusion.length not in ("search", None):
        raise ConfigError(
            f"sampling.diffusion.hole says {diffusion.hole!r} to a search, and a gap of length "
            f"{diffusion.length} needs none",
            hint="leave hole out, or --length search",
        )
    # The length is the gap's, and the rest the settings'.
    given = {one.name: getattr(diffusion, one.name) for one in fields(diffusion)}
    del given["length"], given["hole"]
    return Settings(temperature=params.temperature, top_p=params.top_p, top_k=params.top_k, **given)


def check_text(prompt: Prompt) -> None:
    """Refuse half a character, which no tokenizer takes; JSON can spell one."""
    if isinstance(prompt, InfillPrompt):
        texts = [prompt.prefix, prompt.suffix]
    elif isinstance(prompt, ChatPrompt):
        texts = [text for _, text in prompt.messages]
    else:
        texts = [prompt.text]
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"the prompt has a lone surrogate, {text[error.start]!r}, in the line "
                f"{_line_at(text, error.start)!r}: half a character is no text to a tokenizer",
                hint="mend the problem's text in the task's file",
            ) from None


def _line_at(text: str, place: int) -> str:
    return text[text.rfind("\n", 0, place) + 1 :].partition("\n")[0].strip()


def found_for(search: Search, request: Request) -> Found | None:
    """The length of a request's gap, where it is to be looked for."""
    prompt, diffusion = request.prompt, request.params.diffusion or DiffusionParams()
    if not isinstance(prompt, InfillPrompt) or diffusion.length not in ("search", None):
        return None
    most = request.params.max_tokens
    return search.find(prompt.prefix, prompt.suffix, kind=diffusion.hole, most=most)


def gap_of(
    net: Model, folder: Path, request: Request, *, found: Found | None = None, trace: bool = False
) -> Gap:
    """The canvas of a request. `folder`: the checkpoint's, which has the chat template.

    `found`: the length of its gap, where that was looked for. A text or a chat is a gap of
    `max_tokens` masks with nothing after it. Raises `ConfigError` for a request that this model
    cannot carry out.
    """
    from trueval.diffusion.gaps import Gap

    prompt, suffix = request.prompt, ""
    length: Any = request.params.max_tokens
    if isinstance(prompt, InfillPrompt):
        if not net.adapter.infills:
            raise ConfigError(completes_only(net.adapter))
        prefix, suffix = net.encode(prompt.prefix), prompt.suffix
        given = (request.params.diffusion or DiffusionParams()).length
        length = given if found is None else found.length
    elif isinstance(prompt, ChatPrompt):
        if not net.adapter.chat_template:
            raise ConfigError("this model has no chat template")
        prefix = chat_ids(folder, prompt.messages)
    else:
        prefix = net.encode(prompt.text)
    return Gap(
        prefix=tuple(prefix),
        suffix=tuple(net.encode(suffix)),
        length=length,
        problem_id=request.problem_id,
        sample_index=request.sample_index,
        seed=request.params.seed,
        settings=settings_of(request.params),
        trace=trace,
        # A gap of a given length keeps it.
        resizes=found is not None or not isinstance(prompt, InfillPrompt),
        # A chat template writes the special tokens that the model was trained with.
        bos=not isinstance(prompt, ChatPrompt),
        longest=min(LONGEST, request.params.max_tokens),
    )


def completion_of(
    net: Model,
    request: Request,
    gap: Gap,
    filling: Filling,
    *,
    found: Found | None = None,
    duration_s: float,
) -> Completion:
    """What fills a gap, as the answer to its request. What a search cost stands with the search."""
    # A line that was said again stays: cutting is the pipeline's, where it is named and counted.
    whole = net.decode(filling.kept)
    text = cut_at_stop(whole, request.params.stop)
    # A gap is filled when its masks are; any other text goes on where nothing ended it.
    is_gap = isinstance(request.prompt, InfillPrompt)
    ended = is_gap or filling.ended is not None or text != whole
    denoising: dict[str, Any] = {"steps_run": filling.steps_run, "forwards": filling.forwards}
    if found is not None:
        denoising["search"] = found.to_json(trace=gap.trace)
    if filling.ended is not None:
        denoising["ended"] = filling.ended
    if filling.window_forwards:
        denoising["window_forwards"] = filling.window_forwards
    if any(filling.cut):
        denoising["cut"] = list(filling.cut)
    if filling.history:
        denoising["history"] = [shown(net, tokens) for tokens in filling.history]
    return Completion(
        text=text,
        finish_reason="stop" if ended else "length",
        prompt_tokens=len(gap.prefix) + len(gap.suffix),
        completion_tokens=len(filling.tokens),
        duration_s=duration_s,
        denoising=denoising,
    )


def shown(net: Model, tokens: Sequence[int]) -> str:
    """A gap's text on the way: each mask is a `MASK`, what stands between masks is decoded."""
    text, known = "", list[int]()
    for token in tokens:
        if token == net.adapter.mask_id:
            text += net.decode(known) + MASK
            known = []
        else:
            known.append(token)
    return text + net.decode(known)


def completes_only(adapter: Adapter) -> str:
    """Why a model fills no gaps."""
    return f"{adapter.name} is a block-diffusion model: it completes a text, and fills no holes"
