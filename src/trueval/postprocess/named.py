"""The pipelines that have a name, and those that are made of a list of steps."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import Any, get_args

from trueval import registry
from trueval.errors import ConfigError
from trueval.postprocess.clean import SpecialTokens, ThinkBlocks
from trueval.postprocess.extract import AlignBody, Choice, EchoedPrompt, SkipPreface, Unfence
from trueval.postprocess.imports import MissingImports
from trueval.postprocess.pipeline import Pipeline, join_only
from trueval.postprocess.repair import (
    EmptyBlock,
    MissingColon,
    OpenString,
    Repetition,
    WholeStatements,
)
from trueval.postprocess.trim import AfterFunction, EndOfFunction
from trueval.protocols import PostProcessor
from trueval.types import Effect


def _find(choose: Choice = "defining") -> tuple[PostProcessor, ...]:
    """The steps that find the code in an answer, with a rule for fenced blocks."""
    return (
        ThinkBlocks(),
        SpecialTokens(),
        Unfence(choose),
        SkipPreface(),
        EchoedPrompt(),
        AlignBody(),
        EndOfFunction(),
        AfterFunction(),
    )


NONE = Pipeline(name="none", assemble=join_only)
"""The text as it came, as the reference harnesses grade it."""

DEFAULT = Pipeline(name="default", steps=_find())
"""Finds the code in any shape of answer, and repairs nothing."""

CHAT = Pipeline(name="chat", steps=_find("last_defining"))
"""As `default`, but of several solutions the last: a chat model corrects itself."""

REPAIR = Pipeline(name="repair", steps=(*_find(), WholeStatements(), MissingImports()))
"""As `default`, and a line of its own for unfinished ends and missing imports."""

POST_V1 = Pipeline(
    name="post_v1",
    steps=(*_find(), OpenString(), EmptyBlock(), WholeStatements(), MissingImports()),
)
"""As `repair`, with all that keeps an answer from starting and takes no guess to mend."""

POST_V5 = Pipeline(
    name="post_v5",
    steps=(
        *_find(),
        Repetition(),
        OpenString(),
        MissingColon(),
        EmptyBlock(),
        WholeStatements(),
        MissingImports(),
    ),
)
"""Every repair there is."""


def pipeline_of(post: str | Sequence[str]) -> Pipeline:
    """The pipeline of a name, or one made of steps: a list, or their names with commas.

    A step is a name of `registry.known("steps")` or `module:attribute`. Raises `ConfigError`.
    """
    if isinstance(post, str):
        if "," not in post and ":" not in post:
            found: Pipeline = registry.resolve("pipelines", post)
            return found
        post = post.split(",")
    names = [name.strip() for name in post]
    if not names:
        raise ConfigError("a pipeline of no step", hint="post: none")
    return Pipeline(name="+".join(names), steps=tuple(load_step(name) for name in names))


def load_step(name: str) -> PostProcessor:
    """One step, by its name or as `module:attribute`. Raises `ConfigError`."""
    found = _import(name) if ":" in name else registry.resolve("steps", name)
    try:
        # A class that can be made without arguments stands for its instance.
        return _checked(found() if inspect.isclass(found) else found, name)
    except TypeError as error:
        raise ConfigError(
            f"cannot make the step {name!r}: {error}", hint="give an instance as module:attribute"
        ) from error


def _import(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"cannot load the step {name!r}: {error}",
            hint="a step is `module:attribute`, with the module on PYTHONPATH",
        ) from error


def _checked(step: Any, name: str) -> PostProcessor:
    fits = isinstance(step, PostProcessor) and not inspect.isclass(step)
    if not fits or step.effect not in get_args(Effect):
        raise ConfigError(
            f"{name!r} is no post-processing step",
            hint="a step has a `name`, an `effect` (extract, trim or repair), and is called with "
            "a text and a problem",
        )
    found: PostProcessor = step
    return found
