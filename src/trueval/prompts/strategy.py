"""Prompt strategies, read from `library/*.yml`: adding one takes no code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from trueval.errors import ConfigError, did_you_mean
from trueval.types import ChatPrompt, Mode, Problem, Prompt, TextPrompt

DEFAULTS: Mapping[Mode, str] = {"completion": "minimal_v5", "chat": "chat-function"}
"""What each kind of model is asked with when nobody says otherwise."""


class Message(BaseModel):
    """One turn of a conversation, as a template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class LibraryPrompt(BaseModel):
    """One file of the library: a template, and what people should know of it.

    Placeholders are `{{prefix}}`, `{{prefix_stripped}}` (no white space at its end),
    `{{suffix}}` and `{{entry_point}}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    summary: str
    mode: Mode
    provenance: Literal["clean", "leaky"] = "clean"
    """`leaky`: made with knowledge of the benchmark's test split."""
    template: str | None = None
    messages: tuple[Message, ...] = ()

    @model_validator(mode="after")
    def _fits_its_mode(self) -> LibraryPrompt:
        if (self.mode == "completion") != (self.template is not None and not self.messages):
            raise ValueError("a completion prompt has a `template`, a chat prompt has `messages`")
        return self

    def __call__(self, problem: Problem) -> Prompt:
        """What a model sees of the problem."""
        if self.template is not None:
            return TextPrompt(text=_fill(self.template, problem))
        return ChatPrompt(
            messages=tuple((turn.role, _fill(turn.content, problem)) for turn in self.messages)
        )


def load_prompt(name: str) -> LibraryPrompt:
    """The strategy of that name. Raises `ConfigError` with a did-you-mean."""
    found = library()
    if name not in found:
        raise ConfigError(f"unknown prompt {name!r}", hint=did_you_mean(name, found))
    return found[name]


@cache
def library() -> Mapping[str, LibraryPrompt]:
    """Every prompt that ships, by name."""
    import yaml

    folder = resources.files("trueval.prompts").joinpath("library")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yml")), key=lambda f: f.name)
    prompts = [_read(file.name, yaml.safe_load(file.read_text("utf-8"))) for file in files]
    return {prompt.name: prompt for prompt in prompts}


def _read(file: str, content: Any) -> LibraryPrompt:
    try:
        return LibraryPrompt.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"prompt file {file}: {error.errors()[0]['msg']}") from error


def _fill(template: str, problem: Problem) -> str:
    values = {
        "prefix": problem.prefix,
        "prefix_stripped": problem.prefix.rstrip(),
        "suffix": problem.suffix,
        "entry_point": problem.entry_point,
    }
    # One pass, piece by piece: a problem's own text may hold braces.
    first, *rest = template.split("{{")
    filled = [first]
    for piece in rest:
        name, closed, after = piece.partition("}}")
        if not closed or name.strip() not in values:
            raise ConfigError(
                f"unknown placeholder {{{{{name.strip()}}}}} in a prompt",
                hint=did_you_mean(name.strip(), values),
            )
        filled += [values[name.strip()], after]
    return "".join(filled)
