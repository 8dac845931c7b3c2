"""`trueval run`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from trueval.cli.interrupts import until_interrupted
from trueval.cli.sections import DENOISING, Sectioned, diffusion_options
from trueval.errors import InfraError

SHORT = {
    "task": "task",
    "model": "model",
    "backend": "backend",
    "mode": "mode",
    "prompt": "prompt",
    "fim": "fim",
    "post": "post",
    "samples": "samples",
    "limit": "limit",
    "split": "split",
    "cache": "cache",
    "name": "name",
    "output": "output",
    "temperature": "sampling.temperature",
    "top_p": "sampling.top_p",
    "max_tokens": "sampling.max_tokens",
    "seed": "sampling.seed",
    "stop": "sampling.stop",
    "timeout": "grading.timeout_s",
    "grading": "grading.grading",
    "server": "options.base_url",
    "precision": "options.precision",
    "k": "k",
    "track": "track",
    **DENOISING,
}
"""Option -> the key of the config that it sets."""


@click.command(cls=Sectioned)
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--task", help="Benchmark to run, or a JSON Lines file.  [default: humaneval]")
@click.option("--model", "-m", help="Catalogue name, path, hub id, or a server's name for it.")
@click.option("--server", "-s", metavar="URL", help="An OpenAI-compatible server to ask.")
@click.option("--backend", help="What runs the model.  [default: by model]")
@click.option("--mode", help="completion or chat.  [default: by model]")
@click.option("--prompt", help="Prompt strategy.  [default: by mode]")
@click.option("--fim", help="How to write a hole: a FIM format, instruct, left-to-right, native.")
@click.option("--post", help="Post-processing pipeline.  [default: default]")
@click.option("--samples", "-n", type=int, help="Samples a problem.  [default: 1]")
@click.option("--k", type=int, multiple=True, help="Estimate pass@k.  [default: 1]")
@click.option("--temperature", "-t", type=float, help="0 is greedy.  [default: 0]")
@click.option("--top-p", type=float, help="Nucleus.  [default: 1]")
@click.option("--max-tokens", type=int, help="Tokens a sample.  [default: 512]")
@click.option("--stop", multiple=True, help="Stop sequence, \\n for a newline; repeatable.")
@click.option("--seed", type=int, help="Seed of the draws.  [default: 0]")
@click.option("--precision", help="f32 (reproducible) or bf16 (fast), for openvino and diffusion.")
@click.option("--timeout", type=float, help="Seconds a program may take.  [default: 3]")
@click.option("--grading", help="split, or official: tests beside the program.  [default: split]")
@click.option("--limit", type=int, help="Only the first so many problems.")
@click.option("--split", help="all, dev (to tune on), or test.  [default: all]")
@click.option("--cache/--no-cache", default=None, help="Use what was drawn and graded before.")
@click.option("--name", help="Folder of the run.  [default: from task, model and settings]")
@click.option("--output", "-o", help="Folder of all runs.  [default: runs]")
@click.option("--track", multiple=True, help="Tell wandb, trackio or mlflow too; repeatable.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any key of the config.")
@diffusion_options
@click.option("--force", is_flag=True, help="Go on where a gate says no; stamps UNTRUSTED.")
@click.option("--dry-run", is_flag=True, help="Print what would run, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(config: Path | None, sets: tuple[str, ...], **given: Any) -> int:
    """Draw samples from a model and score them.

    Without any option: HumanEval with the embedded SmolLM2-135M-Instruct; a task of holes in
    Python gets trueval-coder-3m, which ships. CONFIG is a YAML file with the same settings, or
    with several `experiments` or a `sweep`; options override it. The same command resumes what
    was cut off.
    """
    from trueval.config import load_config, parse_set
    from trueval.experiment.execute import execute
    from trueval.experiment.experiments import is_experiments
    from trueval.report.live import LiveLine
    from trueval.report.table import render_table
    from trueval.score.intervals import wilson

    force, dry_run, as_json = (given.pop(name) for name in ("force", "dry_run", "as_json"))
    overrides = {SHORT[name]: value for name, value in given.items() if value not in (None, ())}
    if stops := overrides.get("sampling.stop"):
        # A shell passes backslash-n as two characters; on this line a newline can only be meant.
        overrides["sampling.stop"] = [stop.replace("\\n", "\n") for stop in stops]
    overrides |= dict(parse_set(text) for text in sets)
    if config is not None and is_experiments(config):
        from trueval.cli.experiments import run_file

        return run_file(config, overrides, force=force, dry_run=dry_run, as_json=as_json)
    lengths = str(overrides.get(DENOISING["length"], "")).split(",")
    if len(lengths) > 1:
        return _side_by_side(config, lengths, overrides, force, dry_run, as_json)
    settings = load_config(config, overrides)
    if dry_run:
        click.echo(_plan_text(settings))
        return 0
    with LiveLine(interval=wilson) as live:
        summary = until_interrupted(
            execute(settings, screen=live, command=command_line(), force=force),
            hint="the same command resumes",
        )
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        click.echo(render_table(summary, color=sys.stdout.isatty()), nl=False)
    outcomes = summary["raw"]["outcomes"]
    if outcomes["infra"] or outcomes["missing"]:
        return InfraError.exit_code
    return 0


def _side_by_side(
    config: Path | None,
    lengths: list[str],
    overrides: dict[str, Any],
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    from trueval.cli.experiments import run_all
    from trueval.errors import ConfigError
    from trueval.experiment.experiments import one_each

    if config is not None:
        raise ConfigError(
            f"several lengths beside the file {config}",
            hint="write them into it as `experiments`, or leave out the file",
        )
    experiments = one_each(DENOISING["length"], lengths, overrides)
    return run_all(experiments, force=force, dry_run=dry_run, as_json=as_json)


def _plan_text(settings: Any) -> str:
    """What would run, as YAML, after the number of problems and samples."""
    import yaml

    from trueval.experiment.benchmark import load_benchmark
    from trueval.experiment.selection import chosen

    task = chosen(load_benchmark(settings.task, settings.task_options), settings)
    samples = len(task.problems) * settings.samples
    found = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False).rstrip()
    return f"# {len(task.problems)} problems x {settings.samples} = {samples} samples\n{found}"


def command_line() -> str:
    """The command as it can be typed again."""
    return shlex.join(["trueval", *sys.argv[1:]])
