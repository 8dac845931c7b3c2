"""`trueval tasks`."""

from __future__ import annotations

import difflib
import inspect
import json
from typing import TYPE_CHECKING, Any

import click

from trueval.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from trueval.types import Problem, Reference, TaskData

HOLE = "<<<HOLE>>>"


class TasksGroup(click.Group):
    """A group that answers a wrong name with the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the arguments, or a did-you-mean."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            known = did_you_mean(args[0], self.commands)
            raise click.UsageError(f"no command 'tasks {args[0]}'; {known}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=TasksGroup)
def command() -> None:
    """List, show and fetch benchmarks."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> Any:
    """List the benchmarks, each with what it is (as `trueval list tasks`)."""
    from trueval.cli import listing

    return ctx.invoke(listing.command, kind="tasks", as_json=as_json)


@command.command()
@click.argument("name")
@click.option("--file", metavar="FILE", help="The benchmark's own file, instead of the cached one.")
@click.option("--problem", "-p", metavar="ID", help="This problem, instead of the first.")
@click.option("--answers", is_flag=True, help="Show its tests and its canonical solution too.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def show(name: str, file: str | None, problem: str | None, answers: bool, as_json: bool) -> int:
    """Say where a benchmark is from and what it measures, and show one problem of it.

    NAME is a task's name, or a JSON Lines file of your own problems.
    """
    task = _load(name, file)
    shown = _chosen(task, problem)
    reference = task.references[shown.problem_id]
    if as_json:
        facts = {**_facts(task), "example": _example(shown, reference, answers)}
        click.echo(json.dumps(facts, indent=2))
        return 0
    for key, value in _facts(task).items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        click.echo(f"{key:<9} {text or '-'}")
    click.echo(f"\n{shown.problem_id}, entry point {shown.entry_point or '-'}")
    click.echo(_rendered(shown, reference, answers))
    return 0


@command.command()
@click.argument("name")
@click.option("--from", "file", metavar="FILE", help="Take this file instead of fetching it.")
def pull(name: str, file: str | None) -> int:
    """Fetch a benchmark into the cache; its digest is checked where one is published."""
    from trueval import registry
    from trueval.tasks.published import pull as fetch

    source = getattr(registry.resolve("tasks", name), "published", None)
    if source is None:
        if file is not None:
            raise ConfigError(
                f"{name} takes no file into the cache", hint=f"trueval tasks show {name}"
            )
        click.echo(f"{name} needs no fetching: it comes with the installed packages")
        return 0
    path = fetch(source, file, say=lambda text: click.echo(text, err=True))
    click.echo(f"{path}\n{source.provenance()}")
    return 0


# --------------------------------------------------------------------------- one benchmark


def _load(name: str, file: str | None) -> TaskData:
    from trueval import registry
    from trueval.tasks.formats import is_file
    from trueval.tasks.jsonl import load_file

    if is_file(name):
        return load_file(name)
    make = registry.resolve("tasks", name)
    if file is not None and "file" not in inspect.signature(make).parameters:
        raise ConfigError(f"{name} takes no --file", hint=f"trueval tasks show {name}")
    task: TaskData = (make() if file is None else make(file=file)).load()
    return task


def _chosen(task: TaskData, problem_id: str | None) -> Problem:
    if problem_id is None:
        return task.problems[0]
    for problem in task.problems:
        if problem.problem_id == problem_id:
            return problem
    close = difflib.get_close_matches(problem_id, task.references, n=1)
    guess = f"did you mean {close[0]!r}?" if close else f"e.g. {task.problems[0].problem_id!r}"
    raise ConfigError(f"{task.name} has no problem {problem_id!r}", hint=guess)


def _facts(task: TaskData) -> dict[str, Any]:
    return {
        "task": task.name,
        "kind": task.kind,
        "hole": task.hole,
        "metrics": list(task.metrics),
        "problems": len(task.problems),
        "source": task.source,
        "license": task.license,
        "sha256": task.digest,
        "stop": [json.dumps(stop) for stop in task.stop],
    }


def _example(problem: Problem, reference: Reference, answers: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "problem_id": problem.problem_id,
        "entry_point": problem.entry_point,
        "prefix": problem.prefix,
        "suffix": problem.suffix,
        "glue": list(problem.glue),
        "tests": _tests(reference),
    }
    if answers:
        facts |= {
            "canonical_solution": reference.canonical_solution,
            "test": reference.test,
            "style": reference.style,
        }
    return facts


def _rendered(problem: Problem, reference: Reference, answers: bool) -> str:
    before, after = problem.glue
    middle = reference.canonical_solution if answers else HOLE
    if not answers and reference.canonical_solution.endswith("\n"):
        middle += "\n"
    text = problem.prefix + before + middle + after + problem.suffix
    parts = [_ruled("problem with its answer" if answers else "problem"), text.rstrip("\n")]
    if answers and reference.test:
        parts += [_ruled(f"tests, style {reference.style}"), reference.test.strip("\n")]
    return "\n".join([*parts, _ruled(_tests(reference))])


def _tests(reference: Reference) -> str:
    """How many tests there are; what they say is an answer."""
    import ast

    from trueval.tasks.python_source import parsed

    counts = []
    if reference.test:
        nodes = [*ast.walk(parsed(reference.test))]
        if reference.style == "unittest":
            names = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
            counts.append(f"{sum(name.startswith('test') for name in names)} test methods")
        else:
            counts.append(f"{sum(isinstance(node, ast.Assert) for node in nodes)} asserts")
    if reference.inputs is not None:
        counts.append(f"{len(reference.inputs.args)} inputs")
    return " and ".join(counts) or "no tests: compared with the true text"


def _ruled(title: str) -> str:
    return f"--- {title} ".ljust(80, "-")
