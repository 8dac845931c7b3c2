"""`trueval train`: from raw code to a small diffusion coder."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trueval.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LATER = {"model": "trueval.cli.train_model"}
"""Subcommands with a file of their own: name -> module that defines `command`."""

ORDER = ("data", "tokenizer", "pack", "model", "card")


class TrainGroup(click.Group):
    """A group that imports its larger commands when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names in the order of use."""
        return list(ORDER)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in LATER:
            return super().get_command(ctx, name)
        command: click.Command = importlib.import_module(LATER[name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the arguments, or a did-you-mean."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise click.UsageError(
                f"no command 'train {args[0]}'; {did_you_mean(args[0], names)}", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(cls=TrainGroup)
def command() -> None:
    """Make a small diffusion coder: its data, its tokenizer, and the model."""


@command.command()
@click.option(
    "--out", required=True, metavar="DATA", type=click.Path(path_type=Path), help="Folder to make."
)
@click.option(
    "--packages", "listed", metavar="FILE", help="YAML list of packages, instead of ours."
)
@click.option(
    "--package", "-p", "extra", multiple=True, metavar="NAME", help="Only these packages."
)
@click.option(
    "--from",
    "folders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Wheels or site-packages to look in before pip is asked.",
)
@click.option("--offline", is_flag=True, help="Take only what is in those folders; never ask pip.")
@click.option("--stdlib/--no-stdlib", default=True, help="Whether to take the standard library.")
@click.option(
    "--benchmark", "given", multiple=True, metavar="NAME=FILE", help="A benchmark's file."
)
@click.option("--workers", default=0, metavar="N", help="Processes; by default one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def data(
    out: Path,
    listed: str | None,
    extra: tuple[str, ...],
    folders: tuple[Path, ...],
    offline: bool,
    stdlib: bool,
    given: tuple[str, ...],
    workers: int,
    as_json: bool,
) -> int:
    """Collect functions of permissively licensed packages, without copies and benchmarks.

    Licences (PSF, MIT, BSD, Apache-2.0, ISC) are read from each package's metadata; what names
    another one, or none, is refused. Packages come from the folders given by --from, else from
    your own pip as wheels: nothing of theirs is built or run. The same command goes on after an
    interruption.
    """
    from trueval.tuning import corpus, decontaminate, packages

    names = [packages.normalised(name) for name in extra] or packages.listed(listed)
    names = [packages.STDLIB] * stdlib + [name for name in names if name != packages.STDLIB]
    packages.Shelf(folders)  # a wrong folder is said before anything is read
    tasks, absent = decontaminate.known_benchmarks(decontaminate.parse_given(given))
    _say(f"keeping out: {', '.join(task.name for task in tasks)}")
    if absent:
        _say(f"not on this machine, so not compared with: {', '.join(absent)}")
    index = decontaminate.index(tasks)
    sources = corpus.Sources(folders=folders, offline=offline)
    work = out / "work"
    missing = corpus.collect(names, sources, work, workers=workers or _cores(), say=_say)
    _say("putting them together")
    manifest = corpus.combine(names, work, out, index, missing=missing, absent=absent)
    show_facts(corpus.summary(manifest), as_json)
    return 0


@command.command()
@click.argument("folder", metavar="DATA", type=click.Path(path_type=Path))
@click.option("--vocabulary", default=8192, show_default=True, help="Tokens, specials included.")
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path), help="Instead of DATA.")
@click.option(
    "--sample-mb", default=200, show_default=True, help="Megabytes of train to learn it from."
)
@click.option("--workers", default=0, metavar="N", help="Processes; by default one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def tokenizer(
    folder: Path, vocabulary: int, out: Path | None, sample_mb: int, workers: int, as_json: bool
) -> int:
    """Learn a tokenizer from DATA, and write every split as a token file."""
    from trueval.tuning.encode import make_tokens

    facts = make_tokens(
        folder,
        out or folder,
        vocabulary=vocabulary,
        sample_bytes=sample_mb * 10**6,
        workers=workers or _cores(),
        say=_say,
    )
    show_facts(facts, as_json)
    return 0


@command.command()
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="A run's folder, whose scores the card is to show; any number of them.",
)
def card(model: Path, runs: tuple[Path, ...]) -> int:
    """Write a model's card (README.md) anew, with the scores of runs of it."""
    from trueval.tuning.card import write_card

    write_card(model, runs)
    click.echo(model / "README.md")
    return 0


@command.command()
@click.argument("folder", metavar="DATA", type=click.Path(path_type=Path))
@click.argument("archive", metavar="ARCHIVE", type=click.Path(path_type=Path))
@click.option("--tokens", type=int, metavar="N", help="About so many of train; by default all.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def pack(folder: Path, archive: Path, tokens: int | None, as_json: bool) -> int:
    """Write what `train model` needs of DATA to a .tar.xz, to train on another machine."""
    from trueval.tuning.packing import pack

    show_facts(pack(folder, archive, tokens=tokens), as_json)
    return 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _say(text: str) -> None:
    click.echo(text, err=True)


def show_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """A command's facts on stdout."""
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        click.echo(f"{key:<17} {_text(value)}")


def _text(value: Mapping[str, Any] | Sequence[Any] | Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    count = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if count else str(value)
