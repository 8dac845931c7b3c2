"""Options that stand under a heading of their own in `--help`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

DIFFUSION = "Options of diffusion models"


class SectionOption(click.Option):
    """An option with the heading that it stands under."""

    def __init__(self, *given: Any, section: str = "", **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.section = section


class Sectioned(click.Command):
    """A command whose `--help` has the options of each section together, after the others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, a block for each heading."""
        blocks: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            is_option = isinstance(parameter, click.Option)
            record = parameter.get_help_record(ctx) if is_option else None
            heading = getattr(parameter, "section", "") or "Options"
            if record is not None:
                blocks.setdefault(heading, []).append(record)
        for heading, records in blocks.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def diffusion_option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """`click.option` for what only a diffusion model is drawn with."""
    return click.option(*names, cls=SectionOption, section=DIFFUSION, **settings)


DENOISING = {
    "length": "sampling.diffusion.length",
    "sampler": "sampling.diffusion.sampler",
    "steps": "sampling.diffusion.steps",
    "diffusion_mode": "sampling.diffusion.mode",
}
"""Option -> the key of the config that it sets."""


def diffusion_options(command: Any) -> Any:
    """Adds the options of `DENOISING` to a command."""
    for add in (
        diffusion_option("--diffusion-mode", help="exact, cached or parallel.  [default: exact]"),
        diffusion_option("--steps", type=int, help="Denoising steps.  [default: 64]"),
        diffusion_option("--sampler", help="p2, entropy, maskgit_plus, ...  [default: p2]"),
        diffusion_option(
            "--length",
            help="Of a gap: fixed:N, search, oracle (an assist), or several with commas.",
        ),
    ):
        command = add(command)
    return command
