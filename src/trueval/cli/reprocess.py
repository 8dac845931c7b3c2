"""`trueval reprocess`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from trueval.cli.interrupts import until_interrupted
from trueval.cli.run import command_line
from trueval.errors import InfraError


@click.command()
@click.argument("run")
@click.option("--post", required=True, help="Pipeline, or steps with commas between them.")
@click.option("--name", help="Folder of the new run.  [default: RUN-PIPELINE]")
@click.option("--runs", default="runs", show_default=True, help="Folder of all runs.")
@click.option("--prompt", help="The prompt's file, where it is not of the library.")
@click.option("--k", type=int, multiple=True, help="Estimate pass@k.  [default: 1, 10, 100]")
@click.option("--force", is_flag=True, help="Go on where a gate says no; stamps UNTRUSTED.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(run: str, post: str, as_json: bool, **given: Any) -> int:
    """Grade a run's completions again, through another pipeline.

    RUN is a run's folder, or its name. Nothing is generated: the stored completions go through
    the pipeline, the controls and the grader into a run of their own beside it, whose manifest
    names the first. The same command resumes one that was cut off.
    """
    from trueval.experiment.reprocess import reprocess
    from trueval.report.live import LiveLine
    from trueval.report.table import render_table
    from trueval.score.intervals import wilson

    with LiveLine(interval=wilson) as live:
        summary = until_interrupted(
            reprocess(run, post, screen=live, command=command_line(), **given),
            hint="the same command resumes",
        )
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        click.echo(render_table(summary, color=sys.stdout.isatty()), nl=False)
    outcomes = summary["raw"]["outcomes"]
    return InfraError.exit_code if outcomes["infra"] or outcomes["missing"] else 0
