"""`trueval config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.group()
def command() -> None:
    """Turn other experiment files into ours."""


@command.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
def convert(old: Path, output: Path | None) -> int:
    """Convert OLD, a file with `vllm`, `inference`, `evaluation` and `dataset` sections.

    The new file goes to stdout, or to the file of -o; what has to be looked at goes to stderr.
    """
    from trueval.errors import StorageError
    from trueval.experiment.convert import convert as converted

    content, warnings = converted(old)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    text = _yaml(content)
    if output is None:
        click.echo(text, nl=False)
        return 0
    if output.exists():
        raise StorageError(f"{output} is there already", hint="choose another file with -o")
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error.strerror}", hint="-o FILE") from error
    click.echo(f"wrote {output}; next: trueval run {output} --dry-run", err=True)
    return 0


def _yaml(content: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
