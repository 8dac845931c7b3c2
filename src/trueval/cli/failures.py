"""`trueval failures`."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN [RUN...]")
@click.option("--expected", is_flag=True, help="Show what tests expected: tells answers.")
@click.option("--repaired", is_flag=True, help="Of the repaired line instead of the raw one.")
@click.option("--output", "-o", default="runs", show_default=True, help="Folder of all runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(
    runs: tuple[str, ...], expected: bool, repaired: bool, output: str, as_json: bool
) -> int:
    """Say why samples of a run failed: counts by class, with two examples of each.

    RUN is a folder or a name under runs/. Several runs stand side by side, by prompt. For reading
    only: a prompt changed after looking at failures of the test split was tuned on it.
    """
    from trueval.experiment.failures import failures_of
    from trueval.experiment.stored import open_run
    from trueval.report.failures import render_by_prompt, render_failures

    found = [
        failures_of(open_run(name, output), expected=expected, repaired=repaired) for name in runs
    ]
    if as_json:
        click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    elif len(found) == 1:
        click.echo(render_failures(found[0]), nl=False)
    else:
        click.echo(render_by_prompt(found), nl=False)
    return 0
