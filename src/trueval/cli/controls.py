"""`trueval controls`."""

from __future__ import annotations

import json
from typing import Any

import click

from trueval.cli.interrupts import until_interrupted


@click.command()
@click.option("--task", default="humaneval", show_default=True, help="Benchmark to check with.")
@click.option("--post", default="default", show_default=True, help="Post-processing pipeline.")
@click.option(
    "--mode",
    type=click.Choice(["completion", "chat"]),
    default="completion",
    show_default=True,
    help="Whose stop sequences apply.",
)
@click.option("--stop", multiple=True, help="Stop sequence, \\n for a newline; repeatable.")
@click.option("--limit", type=int, help="Only the first so many problems.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(mode: Any, as_json: bool, stop: tuple[str, ...], **given: Any) -> int:
    """Check that right answers pass and cheats fail, through the whole chain.

    Canonical solutions in every shape a model answers in go through stop cut, post-processor and
    grader, and all must pass; answers that solve nothing must all fail.
    """
    from trueval.config import validate
    from trueval.errors import ControlsFailedError
    from trueval.experiment.execute import control
    from trueval.report.live import LiveLine
    from trueval.types import to_json

    settings = {key: value for key, value in given.items() if value is not None}
    if stop:
        settings["sampling"] = {"stop": [text.replace("\\n", "\n") for text in stop]}
    config = validate(settings, where="options")
    with LiveLine() as live:
        report = until_interrupted(control(config, mode=mode, screen=live), hint="run it again")
    if as_json:
        click.echo(json.dumps({**to_json(report), "passed": report.passed}, indent=2))
        return 0 if report.passed else ControlsFailedError.exit_code
    for name, (n, of) in report.right.items():
        click.echo(f"{'ok  ' if n == of else 'FAIL'}  {name:<24} {n}/{of} pass")
    for name, (n, of) in report.cheats.items():
        click.echo(f"{'ok  ' if n == of else 'FAIL'}  cheat: {name:<17} {n}/{of} fail")
    click.echo(f"stop ceiling {report.stop_ceiling:.1%}, {report.duration_s:.1f} s")
    if report.passed:
        return 0
    click.echo(f"error: controls failed\n  {report.reason()}", err=True)
    return ControlsFailedError.exit_code
