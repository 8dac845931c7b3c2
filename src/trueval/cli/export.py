"""`trueval export`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("run")
@click.option(
    "--layout",
    "-l",
    required=True,
    help="human-eval, evalplus, open-dllm, markdown, parquet or junit.",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Folder.  [default: RUN/export]"
)
@click.option("--repaired", is_flag=True, help="Of the repaired line instead of the raw one.")
@click.option("--runs", default="runs", show_default=True, help="Folder of all runs.")
@click.option("--force", is_flag=True, help="Leave out samples without a verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(
    run: str,
    layout: str,
    output: Path | None,
    repaired: bool,
    runs: str,
    force: bool,
    as_json: bool,
) -> int:
    """Write a run in the format of another tool.

    RUN is a folder or a name under runs/. The programs are those that were graded, so that another
    harness, or `trueval grade`, can check the verdicts. UNTRUSTED and assists go along.
    """
    from trueval.experiment.export import Export, export_run
    from trueval.experiment.stored import open_run

    found = open_run(run, runs)
    folder = output or found.folder / "export"
    export = Export(run=found, folder=folder, repaired=repaired, force=force)
    files = export_run(export, layout)
    if as_json:
        facts = {
            "run": found.name,
            "layout": layout,
            "files": [str(file) for file in files],
            "trusted": export.trusted,
            "assists": export.assists,
            "notes": export.notes,
        }
        click.echo(json.dumps(facts, indent=2))
        return 0
    for file in files:
        click.echo(file)
    for note in export.notes:
        click.echo(f"note: {note}", err=True)
    return 0
