"""`trueval explain`."""

from __future__ import annotations

import textwrap

import click

from trueval.errors import ConfigError, did_you_mean


@click.command()
@click.argument("code", required=False)
def command(code: str | None) -> int:
    """Say what a finding's CODE means and what to do about it; without one, list them."""
    from trueval.honesty.lint_codes import CODES

    if code is None:
        for name, each in CODES.items():
            click.echo(f"{name}  {each.title}")
        return 0
    known = CODES.get(code.upper())
    if known is None:
        raise ConfigError(f"no code {code!r}", hint=did_you_mean(code.upper(), CODES))
    click.echo(f"{code.upper()}: {known.title}\n")
    for paragraph in (known.meaning, f"What to do: {known.remedy}"):
        click.echo(textwrap.fill(paragraph, 88))
    return 0
