"""Templates: text with `{{placeholders}}` for parts of a problem."""

from __future__ import annotations

import re

from trueval.errors import ConfigError, did_you_mean
from trueval.prompts.parts import PARTS
from trueval.types import Problem

PLACEHOLDER = re.compile(r"\{\{(?P<inside>.*?)\}\}", re.S)

FILTERS = {
    # Line by line, so that the whole stays a comment whatever the problem's text holds.
    "comment": lambda text: "\n".join(f"# {line}".rstrip() for line in text.splitlines()),
}
"""What may stand after a bar: `{{doctests | comment}}`."""


def fill(template: str, problem: Problem) -> str:
    """The template with each placeholder replaced. Raises `ConfigError` for one nobody knows."""
    # One pass: a problem's own text may hold braces.
    return PLACEHOLDER.sub(lambda found: _value(found["inside"], problem), template)


def check(template: str) -> None:
    """Refuse a placeholder or filter that nothing has. Raises `ConfigError`."""
    for found in PLACEHOLDER.finditer(template):
        _names(found["inside"])


def literal(template: str) -> str:
    """What of the template is its author's own text: placeholders are blanked out."""
    return PLACEHOLDER.sub(" ", template)


def _value(inside: str, problem: Problem) -> str:
    name, filters = _names(inside)
    text = PARTS[name](problem)
    for each in filters:
        text = FILTERS[each](text)
    return text


def _names(inside: str) -> tuple[str, list[str]]:
    name, *filters = (part.strip() for part in inside.split("|"))
    if name not in PARTS:
        raise ConfigError(
            f"unknown placeholder {{{{{name}}}}} in a prompt", hint=did_you_mean(name, PARTS)
        )
    for each in filters:
        if each not in FILTERS:
            raise ConfigError(
                f"unknown filter {each!r} in {{{{{inside.strip()}}}}}",
                hint=did_you_mean(each, FILTERS),
            )
    return name, filters
