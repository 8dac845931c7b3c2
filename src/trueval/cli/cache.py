"""`trueval cache`."""

from __future__ import annotations

import json

import click


@click.group()
def command() -> None:
    """Say what the cache holds, or empty it.

    Completions and grades are kept, and a run that needs the same again takes them from there;
    `trueval run --no-cache` does not.
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def stats(as_json: bool) -> int:
    """Say how much the cache holds, and where it lies."""
    from trueval.experiment.cache_file import stats as read
    from trueval.types import to_json

    facts = read()
    if as_json:
        click.echo(json.dumps(to_json(facts), indent=2))
    else:
        click.echo(
            f"{facts.completions:,} completions, {facts.grades:,} grades, "
            f"{facts.size_mb:,.1f} MB in {facts.file}"
        )
    return 0


@command.command()
@click.option("--completions", is_flag=True, help="Only what models wrote.")
@click.option("--grades", is_flag=True, help="Only verdicts.")
def clear(completions: bool, grades: bool) -> int:
    """Forget completions, grades, or without an option both. No run is touched."""
    from trueval.experiment.cache_file import Table
    from trueval.experiment.cache_file import clear as forget

    tables: list[Table] = []
    if completions:
        tables.append("completions")
    if grades:
        tables.append("grades")
    click.echo(f"{forget(*tables):,} entries deleted")
    return 0
