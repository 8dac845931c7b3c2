"""`trueval prompts`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from trueval.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from trueval.prompts.strategy import LibraryPrompt
    from trueval.types import Problem


class PromptsGroup(click.Group):
    """A group that answers a wrong name with the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the arguments, or a did-you-mean."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            known = did_you_mean(args[0], self.commands)
            raise click.UsageError(f"no command 'prompts {args[0]}'; {known}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=PromptsGroup)
def command() -> None:
    """List prompts, and show what a model sees of a problem."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def list_(as_json: bool) -> int:
    """List the prompts that ship: name, kind, category, provenance and what each is."""
    from trueval.prompts.strategy import library

    # Leaky ones last: they are there to be compared with, not to be chosen.
    prompts = sorted(library().values(), key=lambda p: (p.provenance, p.mode == "chat", p.name))
    if as_json:
        click.echo(json.dumps([_facts(prompt) for prompt in prompts], indent=2))
        return 0
    width = max(len(prompt.name) for prompt in prompts)
    for prompt in prompts:
        click.echo(
            f"{prompt.name:<{width}}  {prompt.mode:<10}  {prompt.category:<11}  "
            f"{prompt.provenance:<5}  {prompt.summary}"
        )
    return 0


@command.command()
@click.argument("name")
@click.option("--task", default="humaneval", show_default=True, help="Benchmark of the problem.")
@click.option("--problem", "-p", metavar="ID", help="This problem, instead of the first.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def show(name: str, task: str, problem: str | None, as_json: bool) -> int:
    """Render a prompt: what the model sees, and the code that its answer continues.

    NAME is a prompt's name, or the path of a .yml file of your own.
    """
    from trueval.experiment.benchmark import load_benchmark
    from trueval.prompts.strategy import load_prompt

    prompt = load_prompt(name)
    problems = {one.problem_id: one for one in load_benchmark(task).problems}
    if problem is not None and problem not in problems:
        raise ConfigError(
            f"{task} has no problem {problem!r}", hint=did_you_mean(problem, problems)[:200]
        )
    chosen = problems[problem] if problem else next(iter(problems.values()))
    if as_json:
        click.echo(json.dumps(_facts(prompt) | _rendered(prompt, chosen), indent=2))
    else:
        _print(prompt, chosen)
    return 0


def _facts(prompt: LibraryPrompt) -> dict[str, Any]:
    keys = ("name", "mode", "category", "provenance", "derived_from", "summary")
    return {key: getattr(prompt, key) for key in keys}


def _rendered(prompt: LibraryPrompt, problem: Problem) -> dict[str, Any]:
    from trueval.types import to_json

    shown = {"problem_id": problem.problem_id, "shown": to_json(prompt(problem))}
    return {**shown, "continued": prompt.continued(problem)}


def _print(prompt: LibraryPrompt, problem: Problem) -> None:
    from trueval.types import TextPrompt

    for key, value in _facts(prompt).items():
        if value:
            click.echo(f"{key.replace('_', ' '):<12} {value}")
    seen = prompt(problem)
    if isinstance(seen, TextPrompt):
        _part(f"the model sees of {problem.problem_id}", seen.text)
    else:
        for role, content in getattr(seen, "messages", ()):
            _part(f"the model sees of {problem.problem_id}, {role}", content)
    _part("graded: this code, and after it the answer", prompt.continued(problem))


def _part(title: str, text: str) -> None:
    """A text under a rule; where it ends matters, so its end is marked."""
    click.echo(f"\n--- {title} ".ljust(80, "-"))
    click.echo(f"{text}⏹")
