"""Rules that pick what to show by what a problem says."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from trueval.errors import ConfigError
from trueval.prompts.template import check
from trueval.types import Problem


class Message(BaseModel):
    """One turn of a conversation, as a template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Shown(BaseModel):
    """What a model is shown: for completion `before` and `code`, for chat `messages`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: str = ""
    """Shown first, and no part of the program that is graded."""
    code: str | None = None
    """Shown last: the code that the model goes on with, so the beginning of what is graded."""
    messages: tuple[Message, ...] = ()

    @property
    def templates(self) -> tuple[str, ...]:
        """All of its text, as it stands in the file."""
        said = (turn.content for turn in self.messages)
        return tuple(text for text in (self.before, self.code or "", *said) if text)

    @property
    def is_empty(self) -> bool:
        """Whether it shows nothing of its own."""
        return self.code is None and not self.messages and not self.before

    @model_validator(mode="after")
    def _has_known_placeholders(self) -> Shown:
        for template in self.templates:
            try:
                check(template)
            except ConfigError as error:
                raise ValueError(f"{error.message}; {error.hint}") from error
        return self


class Rule(Shown):
    """One way to show a problem, and the problems that it is for."""

    keywords: tuple[str, ...] = ()
    """Whole words, in either case; one of them in the problem's visible text is enough."""
    regex: str = ""
    """Or a pattern that is found in it."""
    use: str = ""
    """The name of another prompt to show, in place of text of its own."""

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        try:
            re.compile(regex)
        except re.error as error:
            raise ValueError(f"regex {regex!r}: {error}") from error
        return regex

    @model_validator(mode="after")
    def _decides_and_shows(self) -> Rule:
        if not self.keywords and not self.regex:
            raise ValueError("a rule of `route` has `keywords` or a `regex`")
        if bool(self.use) != self.is_empty:
            raise ValueError("a rule of `route` has either `use: NAME` or a text of its own")
        return self

    def fits(self, problem: Problem) -> bool:
        """Whether the rule is for that problem. It reads what the model may see, no more."""
        seen = problem.prefix + problem.suffix
        if any(_word(keyword).search(seen) for keyword in self.keywords):
            return True
        return bool(self.regex and re.search(self.regex, seen))


@cache
def _word(keyword: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(keyword)}(?!\w)", re.IGNORECASE)
