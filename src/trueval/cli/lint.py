"""`trueval lint`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trueval.experiment.leaks import Subject
    from trueval.honesty.lint import Finding
    from trueval.report.live import LiveLine
    from trueval.types import TaskData

Found = list[tuple["Subject", "list[Finding]"]]


@click.command()
@click.argument("what", nargs=-1, metavar="[PATHS|NAMES]...")
@click.option("--task", "tasks", multiple=True, help="Benchmark to look for; repeatable.")
@click.option("--no-run", is_flag=True, help="Only read: do not run functions against the tests.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(what: tuple[str, ...], tasks: tuple[str, ...], no_run: bool, as_json: bool) -> int:
    """Find traces of a benchmark in prompts, examples and post-processors.

    Without arguments: all prompts of the library. A folder stands for its files. Functions that
    are found are run in the sandbox against every test of the benchmarks, which are HumanEval and,
    where it is cached, MBPP-sanitized. Exit code 1: something leaks that is not labelled leaky.
    """
    from trueval.cli.interrupts import until_interrupted
    from trueval.experiment.benchmark import load_benchmark
    from trueval.experiment.leaks import benchmarks, subjects
    from trueval.report.live import LiveLine

    chosen = subjects(what)
    searched = [load_benchmark(name) for name in tasks] or benchmarks()
    with LiveLine() as live:
        work = _lint(chosen, searched, runs=not no_run, live=live)
        found = until_interrupted(work, hint="run it again")
    if as_json:
        click.echo(json.dumps([_facts(*each) for each in found], indent=2))
    else:
        _print(found, [task.name for task in searched])
    return int(any(findings and not subject.labelled for subject, findings in found))


async def _lint(
    chosen: Sequence[Subject], tasks: Sequence[TaskData], *, runs: bool, live: LiveLine
) -> Found:
    from trueval.config import RunConfig
    from trueval.experiment import leaks
    from trueval.experiment.plan import make_grader
    from trueval.honesty.lint import once
    from trueval.honesty.lint_index import index
    from trueval.honesty.lint_source import functions_in

    indexes = [index(task) for task in tasks]
    found = {subject.name: leaks.read(subject, indexes) for subject in chosen}
    to_run = [subject for subject in chosen if runs and functions_in(subject.text)]
    if to_run:
        grader = make_grader(RunConfig(), background=False)
        try:
            isolation = await grader.open()
            for subject in to_run:
                live.update(phase=f"run {subject.name}", done=0, total=None)
                found[subject.name] += await leaks.run(
                    subject,
                    indexes,
                    grader,
                    isolation=isolation,
                    progress=lambda done, of: live.update(done=done, total=of),
                )
        finally:
            await grader.close()
    return [(subject, once(found[subject.name])) for subject in chosen]


def _facts(subject: Subject, findings: list[Finding]) -> dict[str, Any]:
    from trueval.types import to_json

    return {"name": subject.name, "labelled": subject.labelled, "findings": to_json(findings)}


def _print(found: Found, searched: Sequence[str]) -> None:
    count = 0
    for subject, findings in found:
        for finding in findings:
            where = f"{subject.name}:{finding.line}" if finding.line else subject.name
            label = " (labelled leaky)" if subject.labelled else ""
            click.echo(f"{where}: {finding.code} {finding.message}{label}")
        count += bool(findings) and not subject.labelled
    labelled = sum(subject.labelled for subject, _ in found)
    click.echo(
        f"{len(found)} read for {' and '.join(searched)}: {count} with findings"
        + (f", {labelled} labelled leaky" if labelled else "")
        + ("; trueval explain CODE says what one means" if count else "")
    )
