"""`trueval list`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import click

Rows = Mapping[str, str]


def _tasks() -> Rows:
    from trueval import registry

    return {name: registry.resolve("tasks", name).summary for name in registry.known("tasks")}


def _backends() -> Rows:
    from trueval import registry

    # The first line of each docstring: the class itself is light, its engine is not imported.
    found = {name: registry.resolve("backends", name) for name in registry.known("backends")}
    return {name: (cls.__doc__ or "").partition("\n")[0] for name, cls in found.items()}


def _prompts() -> Rows:
    from trueval.prompts.strategy import library

    return {
        prompt.name: f"{prompt.summary} ({prompt.mode}, {prompt.provenance})"
        for prompt in library().values()
    }


def _pipelines() -> Rows:
    from trueval import registry

    found = {name: registry.resolve("pipelines", name) for name in registry.known("pipelines")}
    return {
        name: ", ".join(f"{step.name} ({step.effect})" for step in pipeline.steps) or "no step"
        for name, pipeline in found.items()
    }


def _models() -> Rows:
    from trueval.generate.models import catalogue

    return {name: entry.summary for name, entry in catalogue().items()}


KINDS: Mapping[str, Callable[[], Rows]] = {
    "tasks": _tasks,
    "backends": _backends,
    "prompts": _prompts,
    "pipelines": _pipelines,
    "models": _models,
}


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(kind: str, as_json: bool) -> int:
    """List tasks, backends, prompts, pipelines or models, each with what it is."""
    rows = KINDS[kind]()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return 0
    width = max(map(len, rows))
    for name, summary in sorted(rows.items()):
        click.echo(f"{name:<{width}}  {summary}")
    return 0
