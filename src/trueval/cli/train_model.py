"""`trueval train model`."""

from __future__ import annotations

import math
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trueval.cli.train import show_facts
from trueval.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from trueval.tuning.trainer import Trainer

INTERRUPTED = 5


@click.command()
@click.option(
    "--data",
    required=True,
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Folder that `train data` and `train tokenizer` made.",
)
@click.option(
    "--recipe",
    default="test",
    show_default=True,
    metavar="NAME|FILE",
    help="test (3.4M parameters), small (28M), or a YAML file.",
)
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the model goes, and its training's state.",
)
@click.option(
    "--minutes",
    type=float,
    metavar="M",
    help="Be done after so long, the learning rate brought down in time.",
)
@click.option("--steps", type=int, metavar="N", help="Instead of the recipe's.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the recipe: optimiser.rate=3e-3, shape.layers=6.",
)
@click.option(
    "--from",
    "source",
    metavar="CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Begin with a Qwen2 checkpoint's weights and tokenizer (adaptation).",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda")
@click.option("--threads", type=int, metavar="N", help="Threads on a CPU; by default one a core.")
@click.option("--compile/--no-compile", "compiled", default=True, help="On a GPU.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(
    data: Path,
    recipe: str,
    out: Path,
    minutes: float | None,
    steps: int | None,
    resume: bool,
    changes: tuple[str, ...],
    source: Path | None,
    device: str,
    threads: int | None,
    compiled: bool,
    as_json: bool,
) -> int:
    """Train a small diffusion coder, on a CPU or a GPU; `torchrun` makes it several workers.

    Exits with 5 when it is interrupted (Ctrl-C, SIGTERM); the same command with --resume goes on.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "torch", extra="transformers", needed_for="trueval train model"
        ) from error
    from trueval.tuning.model import prepare, write_model

    for name, value in (("--minutes", minutes), ("--steps", steps), ("--threads", threads)):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{name} {value} trains nothing")
    if threads:
        torch.set_num_threads(threads)
    line = _Line()
    trainer, origin = prepare(
        data,
        recipe,
        out,
        changes=changes,
        source=source,
        minutes=minutes,
        steps=steps,
        resume=resume,
        device=device,
        compiled=compiled,
        watch=line.step,
        said=line.evaluation,
    )
    line.trainer = trainer
    _stop_on_signals(trainer)
    done = trainer.run()
    line.end()
    if trainer.leads:
        found = write_model(trainer, origin)
        show_facts(found | {"finished": done}, as_json)
        if not done:
            click.echo("interrupted; the same command with --resume goes on", err=True)
    trainer.workers.part()
    return 0 if done else INTERRUPTED


def _stop_on_signals(trainer: Trainer) -> None:
    def stop(number: int, _frame: object) -> None:
        if trainer.stop:
            # Asked twice: as if it were not caught.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        trainer.stop = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


class _Line:
    """A line on stderr that shows where the training is; a line an evaluation stays."""

    def __init__(self) -> None:
        self.trainer: Trainer | None = None
        self._losses: list[float] = []
        self._shown = 0.0
        self._speed = (0.0, 0)
        self._live = sys.stderr.isatty()

    def step(self, course: Any) -> None:
        """Draw the line anew, at most once a second (a minute where it is no terminal)."""
        if self.trainer and not self.trainer.leads:
            return
        if course.seconds - self._shown < (1.0 if self._live else 60.0):
            return
        from trueval.tuning.curves import sparkline

        seconds, tokens = self._speed
        speed = (course.tokens - tokens) / max(course.seconds - seconds, 1e-6)
        self._speed, self._shown = (course.seconds, course.tokens), course.seconds
        self._losses.append(course.loss)
        left = course.seconds * (1 / max(course.progress, 1e-6) - 1) / 60
        text = (
            f"step {course.step}  {course.progress:4.0%}  loss {course.loss:.3f}"
            f" {sparkline(self._losses)}  best {course.best:.3f}"
            f"  {speed:,.0f} tokens/s  {left:.0f} min left"
        )
        click.echo(f"\r\x1b[K{text}" if self._live else text, err=True, nl=not self._live)

    def evaluation(self, course: Any, found: Any) -> None:
        """A line that stays."""
        text = (
            f"step {course.step}  {course.tokens / 1e6:.1f}M tokens  validation"
            f" {found.validation:.4f} nats/token, lines {found.line:.4f}, put back exactly"
            f" {found.exact:.1%} of {found.lines}"
        )
        click.echo(f"\r\x1b[K{text}" if self._live else text, err=True)

    def end(self) -> None:
        """Leave the line."""
        if self._live:
            click.echo("", err=True)
