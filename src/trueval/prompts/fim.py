"""Infilling prompts: the FIM formats of `fim_formats.yml`, and ways to ask without one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from trueval.errors import ConfigError, did_you_mean
from trueval.types import ChatPrompt, Hole, InfillPrompt, Mode, Problem, TextPrompt

Order = Literal["psm", "spm"]
"""Prefix, suffix, middle; or suffix, prefix, middle."""

WITHOUT_TOKENS = ("instruct", "left-to-right", "native")
"""What a model without FIM tokens can be asked with."""

_PLACE = re.compile(r"\{\{(prefix|suffix)\}\}")
_OTHERWISE = "--fim instruct, --fim left-to-right, or a format by its name or the path of a YAML"


class FimFormat(BaseModel):
    """How one family of models wants a hole to be written. `fim_formats.yml` explains the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    summary: str = ""
    tokens: tuple[str, ...]
    marks: tuple[str, ...] = ()
    psm: str = ""
    spm: str = ""
    ends: tuple[str, ...] = ()
    detected: bool = True
    source: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fills_both_places(self) -> FimFormat:
        templates = [self.template(order) for order in self.orders]
        if not templates:
            raise ValueError("a FIM format has a `psm` or an `spm` template")
        for template in templates:
            if sorted(_PLACE.findall(template)) != ["prefix", "suffix"]:
                raise ValueError("a template has {{prefix}} and {{suffix}} once each")
            if missing := [token for token in self.tokens if token not in template]:
                raise ValueError(f"the template does not use the token {missing[0]!r}")
        if not self.tokens:
            raise ValueError("a FIM format has `tokens`")
        return self

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders that this family was trained with, the usual one first."""
        both: tuple[Order, ...] = ("psm", "spm")
        return tuple(order for order in both if self.template(order))

    @property
    def stop(self) -> tuple[str, ...]:
        """What ends a middle: the end tokens, and those that would start a hole of its own."""
        return tuple(dict.fromkeys((*self.ends, *self.tokens)))

    def template(self, order: Order) -> str:
        """The template of an order; empty when the family has none."""
        return self.psm if order == "psm" else self.spm

    def render(self, problem: Problem, order: Order) -> str:
        """The prompt's text. Raises `ConfigError` when the problem's own text holds a token."""
        # Engines read a token as a token wherever it stands, and there is no way to escape one:
        # such a problem would be another one.
        for token in self.stop:
            if token in problem.prefix or token in problem.suffix:
                raise ConfigError(
                    f"{problem.problem_id}: its text holds {token!r}, a token of the FIM format "
                    f"{self.name!r}, which would be read as one",
                    hint="--fim instruct",
                )
        texts = {"prefix": problem.prefix, "suffix": problem.suffix}
        pieces = _PLACE.split(self.template(order))  # text, name, text, name, text
        return "".join(texts[p] if i % 2 else p for i, p in enumerate(pieces))


# --------------------------------------------------------------------------- finding a format


@cache
def formats() -> Mapping[str, FimFormat]:
    """Every format that ships, by name."""
    import yaml

    file = resources.files("trueval.prompts").joinpath("fim_formats.yml")
    content = yaml.safe_load(file.read_text("utf-8"))
    return {
        name: _checked({"name": name, **facts}, "fim_formats.yml")
        for name, facts in content.items()
    }


def load_format(name_or_path: str) -> FimFormat:
    """A format that ships, or one from a YAML file. Raises `ConfigError` with a did-you-mean."""
    if name_or_path.endswith((".yml", ".yaml")):
        return _from_file(Path(name_or_path).expanduser())
    if name_or_path not in formats():
        names = [*formats(), *WITHOUT_TOKENS]
        raise ConfigError(
            f"unknown FIM format {name_or_path!r}", hint=did_you_mean(name_or_path, names)
        )
    return formats()[name_or_path]


def detect(vocabulary: Collection[str]) -> FimFormat:
    """The format whose tokens a model's vocabulary has, the most specific first.

    Raises `ConfigError` that says what to type for a model that has none.
    """
    known = set(vocabulary)
    fits = [
        form
        for form in formats().values()
        if form.detected and known >= {*form.tokens, *form.marks}
    ]
    if fits:
        return max(fits, key=lambda form: len(form.tokens) + len(form.marks))
    seen = sorted(token for token in known if "fim" in token.lower())
    what = f"its FIM tokens are of no known format: {', '.join(seen)}" if seen else "it has none"
    raise ConfigError(f"no FIM format for this model: {what}", hint=_OTHERWISE)


def _from_file(path: Path) -> FimFormat:
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the FIM format {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} holds no FIM format",
            hint="keys: tokens, psm or spm, ends; see fim_formats.yml",
        )
    return _checked({"name": path.stem, **content}, str(path))


def _checked(content: Mapping[str, Any], where: str) -> FimFormat:
    try:
        return FimFormat.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"FIM format in {where}: {f'{key}: ' if key else ''}{message}") from error


# --------------------------------------------------------------------------- strategies


class _Strategy(BaseModel):
    """What every way of asking has; each is a `PromptStrategy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    summary: str
    label: str
    """What stands beside a score that was asked for so."""
    mode: Mode = "completion"
    provenance: Literal["clean"] = "clean"
    stop: tuple[str, ...] = ()
    """What ends a middle, for the request."""


class FimPrompt(_Strategy):
    """The hole written with a model's own FIM tokens."""

    format: FimFormat
    order: Order

    def __call__(self, problem: Problem) -> TextPrompt:
        """Raw text that ends where the middle starts."""
        return TextPrompt(text=self.format.render(problem, self.order))


class LeftToRight(_Strategy):
    """The prefix alone: how a model fares that never sees the suffix."""

    name: str = "left-to-right"
    summary: str = "The text before the hole alone; the text after it is not shown."
    label: str = "fim:left-to-right ignores the suffix"

    def __call__(self, problem: Problem) -> TextPrompt:
        """The prefix as it is."""
        return TextPrompt(text=problem.prefix)


class Native(_Strategy):
    """Prefix and suffix as they are, for a server that writes the hole itself."""

    name: str = "native"
    summary: str = "Prefix and suffix, for a server that fills holes itself (llama.cpp, `suffix`)."
    label: str = "fim:native"

    def __call__(self, problem: Problem) -> InfillPrompt:
        """The two texts."""
        return InfillPrompt(prefix=problem.prefix, suffix=problem.suffix)


_ASKED: Mapping[Hole, tuple[str, str]] = {
    "line": ("Exactly one line of code belongs there.", "that one line, with its indentation,"),
    "lines": (
        "One or more whole lines of code belong there.",
        "those lines, indented as they stand",
    ),
    "span": (
        "A piece of text belongs there, which may start and end inside a line.",
        "the text that replaces the marker",
    ),
}


class Instruct(_Strategy):
    """A request in words, for a chat model."""

    name: str = "instruct"
    summary: str = "Asks a chat model for the missing code between prefix and suffix."
    label: str = "fim:instruct"
    mode: Mode = "chat"
    hole: Hole = "lines"

    def __call__(self, problem: Problem) -> ChatPrompt:
        """The code with its hole marked, and what to answer with."""
        before, after = problem.prefix + problem.glue[0], problem.glue[1] + problem.suffix
        mark = _unused("<FILL_HERE>", before + after)
        fence = "```" if "```" not in before + after else "````"
        # Whole lines are missing: the marker stands on a line of its own.
        ends_line = self.hole != "span" and not after.startswith("\n")
        code = before + mark + ("\n" if ends_line else "") + after
        what, answer = _ASKED[self.hole or "lines"]
        said = (
            f"Some code is missing from this file, where it says {mark}. {what}\n\n"
            f"{fence}\n{code.removesuffix(chr(10))}\n{fence}\n\n"
            f"Answer with one fenced code block that holds only {answer.rstrip(',')}. "
            "Repeat nothing of the code before or after the marker, and explain nothing."
        )
        return ChatPrompt(messages=(("user", said),))


FimStrategy = FimPrompt | LeftToRight | Native | Instruct


def with_format(form: FimFormat, order: Order | None = None) -> FimPrompt:
    """The strategy that writes a format's tokens, in its usual order unless one is named."""
    chosen = order or form.orders[0]
    if chosen not in form.orders:
        raise ConfigError(
            f"the FIM format {form.name!r} has no {chosen.upper()} order",
            hint=f"--fim {form.name}:{form.orders[0]}",
        )
    return FimPrompt(
        name=f"fim-{form.name}-{chosen}",
        summary=form.summary,
        label=f"fim:{form.name} ({chosen.upper()})",
        stop=form.stop,
        format=form,
        order=chosen,
    )


def strategy(choice: str, *, hole: Hole, vocabulary: Collection[str] | None) -> FimStrategy:
    """The strategy of that name, for a model of that vocabulary; None: it is not known.

    `auto` reads the format off the vocabulary. `NAME` or `FILE.yml` names one, and `NAME:spm`
    its order; `instruct`, `left-to-right` and `native` need no tokens.
    """
    if choice == "instruct":
        return Instruct(hole=hole)
    if choice == "left-to-right":
        return LeftToRight()
    if choice == "native":
        return Native()
    if choice == "auto":
        if vocabulary is None:
            raise ConfigError("nothing says which FIM tokens this model has", hint=_OTHERWISE)
        return with_format(detect(vocabulary))
    name, _, order = choice.rpartition(":")
    asked: Order | None = "psm" if order == "psm" else "spm" if order == "spm" else None
    form = load_format(name if asked else choice)
    if vocabulary is not None and (missing := [t for t in form.tokens if t not in vocabulary]):
        raise ConfigError(
            f"this model has no token {missing[0]!r}, which the FIM format {form.name!r} needs",
            hint=_OTHERWISE,
        )
    return with_format(form, asked)


def _unused(mark: str, text: str) -> str:
    """The marker, or the first numbered one that the text does not hold."""
    number, chosen = 1, mark
    while chosen in text:
        number += 1
        chosen = f"{mark[:-1]}_{number}>"
    return chosen
