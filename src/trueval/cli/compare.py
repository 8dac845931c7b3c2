"""`trueval compare`."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="A B [C...]")
@click.option("--repaired", is_flag=True, help="Compare the repaired line instead of the raw one.")
@click.option("--metric", default="", help="Only this one: pass, first-line, ...  [default: all]")
@click.option("--output", "-o", default="runs", show_default=True, help="Folder of all runs.")
@click.option("--force", is_flag=True, help="Compare what must not be ranked; labels it.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(
    runs: tuple[str, ...], repaired: bool, metric: str, output: str, force: bool, as_json: bool
) -> int:
    """Say whether one run is better than another, on the same problems.

    Each run, a folder or a name under runs/, is compared with the first: the difference with its
    interval, an exact paired test, the smallest difference that could have been found, the
    problems that flipped, and the settings that differ. Runs of another task, other data or other
    assists are refused.
    """
    from trueval.experiment.compare import compare_runs
    from trueval.experiment.stored import open_run
    from trueval.report.comparison import render_comparison

    found = [open_run(name, output) for name in runs]
    facts = compare_runs(found, repaired=repaired, metric=metric, force=force)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(render_comparison(facts), nl=False)
    return 0
