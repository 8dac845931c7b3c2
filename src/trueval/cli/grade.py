"""`trueval grade`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from trueval.cli.interrupts import until_interrupted
from trueval.errors import DataError, InfraError, StorageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--task", default="humaneval", show_default=True, help="Benchmark of the samples.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Results, a line a sample.")
@click.option("--k", type=int, multiple=True, default=(1, 10, 100), help="Estimate pass@k.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=3.0,
    show_default=True,
    help="Seconds a program.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Programs at a time.  [default: one a core]"
)
@click.option(
    "--grading",
    type=click.Choice(("split", "official")),
    default="split",
    show_default=True,
    help="official: tests beside the program.",
)
@click.option("--force", is_flag=True, help="Count what is missing as not passed.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(file: Path, task: str, output: Path | None, as_json: bool, **given: Any) -> int:
    """Grade samples that others made.

    FILE is JSON Lines, gzip'd or not, `-` for standard input: `task_id` with `completion` (put
    after the problem's text) or `solution` (run as it is). Results go to FILE with `_results`
    before its ending, a line a sample.
    """
    from trueval.experiment.benchmark import load_benchmark
    from trueval.experiment.foreign import FileGrades, grade_file
    from trueval.experiment.graders import grader_of
    from trueval.report.live import LiveLine
    from trueval.score.intervals import wilson

    data = load_benchmark(task)
    grading = {
        "timeout_s": given["timeout"],
        "workers": given["workers"],
        "grading": given["grading"],
    }
    target = output or _results_file(file)

    async def work() -> FileGrades:
        grader = grader_of(grading, data, background=False)
        try:
            await grader.open()
            with _create(target) as results, LiveLine(interval=wilson) as live:
                live.update(phase="grade", done=0, total=None)
                return await grade_file(
                    file,
                    data,
                    grader,
                    results=results,
                    listen=lambda grades: live.update(
                        done=grades.done,
                        graded=grades.done,
                        passed=grades.verdicts["passed"],
                        infra=grades.verdicts["infra"],
                    ),
                )
        finally:
            await grader.close()

    if not file.exists() and str(file) != "-":
        raise DataError(f"no file {file}", hint="give a JSON Lines file, or - for standard input")
    started = time.monotonic()
    grades = until_interrupted(work(), hint="the results so far are in " + str(target))
    return _print(grades, target, time.monotonic() - started, given, as_json=as_json)


def _print(
    grades: Any, target: Path, seconds: float, given: dict[str, Any], *, as_json: bool
) -> int:
    from trueval.experiment.graders import grading_assists
    from trueval.report import wording
    from trueval.types import to_json

    assists = grading_assists(grades.task, given["grading"])

    try:
        estimates = [to_json(one) for one in grades.estimates(given["k"], force=given["force"])]
        problem = ""
    except InfraError as error:
        estimates, problem = [], str(error)
    facts = {
        "task": grades.task.name,
        "data_digest": grades.task.digest,
        "samples": grades.done,
        "estimates": estimates,
        "outcomes": grades.outcomes(),
        "rescued": grades.rescued,
        "causes": dict(grades.causes.most_common()),
        "grading": given["grading"],
        "assists": list(assists),
        "differing": grades.differing,
        "missing_problems": len(grades.missing),
        "seconds": round(seconds, 3),
        "results": str(target),
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for found in estimates:
            click.echo(
                f"{wording.metric(found, assists)} {wording.score(found)} ({wording.basis(found)})"
            )
        counts = ", ".join(f"{n:,} {name}" for name, n in grades.outcomes().items() if n)
        click.echo(f"outcomes    {grades.done:,} samples: {counts or 'none'}")
        if grades.causes:
            causes = ", ".join(f"{n:,} {name}" for name, n in grades.causes.most_common())
            click.echo(f"causes      {causes}")
        for line in grades.differing:
            click.echo(f"differs     {line}")
        click.echo(f"speed       {grades.done / seconds:,.0f} samples/s, {seconds:.1f} s")
        click.echo(f"results     {target}")
    if problem:
        click.echo(f"error: {problem}", err=True)
    return InfraError.exit_code if problem else 0


def _results_file(file: Path) -> Path:
    if str(file) == "-":
        return Path("stdin_results.jsonl")
    stem = file.name.removesuffix(".gz").removesuffix(".jsonl")
    return file.with_name(f"{stem}_results.jsonl")


def _create(target: Path) -> Any:
    try:
        return target.open("w", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror or error}", hint="choose another --output"
        ) from error
