"""`trueval run` with a file of several experiments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trueval.experiment.experiments import Experiment, Experiments

CHARACTERS_A_TOKEN = 3.5
"""Of Python source, about; for a plan, where no tokenizer is at hand."""


def run_file(
    file: Path, overrides: Mapping[str, Any], *, force: bool, dry_run: bool, as_json: bool
) -> int:
    """Carry the file out, or say what it would do; the exit code."""
    from trueval.experiment.experiments import load_experiments

    found = load_experiments(file, overrides)
    return run_all(found, force=force, dry_run=dry_run, as_json=as_json)


def run_all(experiments: Experiments, *, force: bool, dry_run: bool, as_json: bool) -> int:
    """Carry experiments out, or say what would be done; the exit code."""
    from trueval.cli.interrupts import until_interrupted
    from trueval.cli.run import command_line
    from trueval.errors import InfraError
    from trueval.experiment.choice import ranking
    from trueval.experiment.sequence import run_experiments
    from trueval.experiment.whole import is_whole
    from trueval.report.live import LiveLine
    from trueval.report.ranking import render_ranking
    from trueval.score.intervals import wilson

    if dry_run:
        for line in (*_plan(experiments), *_lanes(experiments)):
            click.echo(line)
        return 0
    with LiveLine(interval=wilson) as live:
        work = run_experiments(experiments, screen=live, command=command_line(), force=force)
        results = until_interrupted(work, hint="the same command goes on")
    facts = ranking(experiments, results)
    if as_json:
        runs = [result.summary for result in results if result.summary]
        click.echo(json.dumps({"runs": runs, "ranking": facts}, indent=2))
    else:
        click.echo(render_ranking(facts), nl=False)
    codes = [result.error.exit_code for result in results if result.error]
    codes += [InfraError.exit_code for r in results if r.summary and not is_whole(r.summary)]
    return codes[0] if codes else 0


def _plan(experiments: Experiments) -> Iterator[str]:
    """A line a run, and the sum."""
    runs = experiments.listed
    if runs is None:
        assert experiments.sweep is not None
        yield (
            f"# {experiments.sweep.configurations} configurations of each of "
            f"{len(experiments.bases)}, chosen as scores come in"
        )
        return
    total = [0, 0, 0]
    for run in runs:
        problems, samples, prompt, completion = _size(run)
        total = [total[0] + samples, total[1] + prompt, total[2] + completion]
        about = f"  # {run.description}" if run.description else ""
        yield (
            f"{run.name}: {problems} problems x {run.config.samples} = {samples:,} samples, "
            f"{_tokens(prompt, completion)}{about}"
        )
    yield f"{len(runs)} runs, {total[0]:,} samples, {_tokens(total[1], total[2])}"


def _lanes(experiments: Experiments) -> Iterator[str]:
    """What goes on at the same time, a line a place; nothing where all is one after the other."""
    from trueval.experiment.lanes import lanes, side_by_side

    found = lanes(experiments)
    if not side_by_side(found):
        return
    yield "side by side:"
    for lane in found:
        many = "one after the other" if lane.width == 1 else f"up to {lane.width} at a time"
        # A semicolon: the next ones wait until the model of those before is no longer needed.
        groups = "; ".join(", ".join(unit.name for unit in group) for group in lane.groups)
        yield f"  {lane.place}, {many}: {groups}"


def _size(run: Experiment) -> tuple[int, int, int, int]:
    """Problems, samples, and about how many prompt and at most how many completion tokens."""
    from trueval.experiment.execute import prepare
    from trueval.experiment.selection import chosen

    config = run.config
    problems = chosen(prepare(config), config).problems
    samples = len(problems) * config.samples
    characters = sum(len(problem.prefix) + len(problem.suffix) for problem in problems)
    prompt = round(characters * config.samples / CHARACTERS_A_TOKEN)
    return len(problems), samples, prompt, samples * config.sampling.max_tokens


def _tokens(prompt: int, completion: int) -> str:
    return f"about {prompt:,} prompt and at most {completion:,} completion tokens"
