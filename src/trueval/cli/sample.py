"""`trueval sample`."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from trueval.cli.sections import DENOISING, Sectioned, diffusion_options
from trueval.config import DEFAULT_INFILLER
from trueval.errors import BackendError, ConfigError

PLACES = {
    "model": "model",
    "temperature": "sampling.temperature",
    "top_p": "sampling.top_p",
    "seed": "sampling.seed",
    "precision": "options.precision",
    "device": "options.device",
    "family": "options.family",
    **DENOISING,
}
"""Option -> the key of a run's config that it would set."""


@click.command(cls=Sectioned)
@click.option(
    "--model",
    "-m",
    default=DEFAULT_INFILLER,
    show_default=True,
    help="Folder or hub id of a diffusion model.",
)
@click.option("--prefix-file", type=click.Path(path_type=Path), help="The text before the gap.")
@click.option("--suffix-file", type=click.Path(path_type=Path), help="The text after the gap.")
@click.option("--temperature", "-t", type=float, help="0 is greedy.  [default: 0.6]")
@click.option("--top-p", type=float, help="Nucleus.  [default: 0.95]")
@click.option("--seed", type=int, help="Seed of the draws.  [default: 0]")
@click.option("--precision", help="f32 or bf16.  [default: by checkpoint and device]")
@click.option("--device", help="cpu, cuda, or auto.  [default: auto]")
@click.option("--family", help="Whose checkpoint it is, where it does not tell itself.")
@diffusion_options
@click.option("--trace", is_flag=True, help="Keep each step, and print it where none is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(
    prefix_file: Path | None, suffix_file: Path | None, trace: bool, as_json: bool, **given: Any
) -> int:
    """Fill one gap with a diffusion model, and watch it.

    What fills the gap goes to stdout. On a terminal the denoising is shown on stderr while it goes
    on; elsewhere --trace prints a line a step. With --length search it also prints every length
    that was looked at.
    """
    if prefix_file is None and suffix_file is None:
        raise ConfigError("a gap in nothing", hint="--prefix-file FILE, --suffix-file FILE or both")
    texts = [_read(file) for file in (prefix_file, suffix_file)]
    overrides = {PLACES[name]: value for name, value in given.items() if value is not None}
    overrides |= {"backend": "diffusion", "options.trace": trace}
    screen = _Screen(lines=trace)
    facts = asyncio.run(_fill(overrides, texts[0], texts[1], screen))
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for line in _looked_at(facts["completion"]["denoising"].get("search") or {}):
            click.echo(line, err=True)
        click.echo(", ".join(facts["labels"]), err=True)
        text = facts["completion"]["text"]
        click.echo(text, nl=not text.endswith("\n"))
    return 0


async def _fill(
    overrides: dict[str, Any], prefix: str, suffix: str, screen: _Screen
) -> dict[str, Any]:
    """Model, request, completion and labels, as a run's samples and manifest have them."""
    from trueval.config import load_config
    from trueval.experiment.denoising import decided, labels
    from trueval.experiment.plan import make_backend
    from trueval.types import Failure, InfillPrompt, Request, Sample, to_json

    config = load_config(None, overrides)
    params = decided(config.sampling.params((), "completion"), gaps=True)
    assert params.diffusion is not None
    if params.diffusion.length == "oracle":
        raise ConfigError("there is no true middle to be as long as", hint="--length fixed:8")
    watched = config.model_copy(update={"options": {**config.options, "watch": screen.show}})
    _, backend = make_backend(watched)
    backend.check_sampling(params)  # type: ignore[attr-defined]
    try:
        model = await backend.open()
        await _require(backend, search=params.diffusion.length == "search")
        request = Request(
            problem_id="sample",
            sample_index=0,
            model=f"{model['id']}@{model['revision']}",
            prompt=InfillPrompt(prefix=prefix, suffix=suffix),
            params=params,
        )
        completion = await backend.draw(request)
    finally:
        await backend.close()
        screen.close()
    if isinstance(completion, Failure):
        raise BackendError(completion.message)
    return {
        "model": to_json(model),
        "request": to_json(request),
        "completion": to_json(completion),
        "labels": list(labels(params, [Sample(request=request, completion=completion)])),
    }


async def _require(backend: Any, *, search: bool) -> None:
    """Refuse a model that fills no gaps, or does not find their length."""
    if reason := await backend.why_not_infill():
        raise ConfigError(reason, hint="trueval run asks it to complete: --task humaneval")
    if search and (reason := await backend.why_not_search()):
        raise ConfigError(f"--length search: {reason}", hint="--length fixed:8")


def _looked_at(search: Mapping[str, Any]) -> Iterator[str]:
    """What a traced search for the gap's length saw, a line a candidate, the best first."""
    from trueval.report.wording import plain

    if candidates := search.get("candidates"):
        yield "length   odds  prior  confidence  log-probability  filled with"
    for one in candidates or ():
        logp = "" if one["logp"] is None else f"{one['logp']:.2f}"
        # Their odds are among those that were looked at, the others' among those filled.
        given_up = "(given up before it was full)" if one["text"] is None else ""
        text = given_up or plain(one["text"].replace("\n", "⏎"))
        yield (
            f"{one['length']:>6}  {one['odds']:>5.3f}  {one['prior']:>5.3f}"
            f"  {one['confidence']:>10.2f}  {logp:>15}  {text}".rstrip()
        )


def _read(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        # Bytes first: universal newlines would make another text of one with \r\n.
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error


class _Screen:
    """The denoising on stderr: one line that changes on a terminal, else a line a step."""

    def __init__(self, *, lines: bool) -> None:
        self._terminal = sys.stderr.isatty()
        self._lines = lines and not self._terminal
        self._drawn = False

    def show(self, text: str, done: int, of: int) -> None:
        """A gap on the way, after `done` of its steps."""
        from trueval.report.wording import plain

        line = plain(f"step {done:>{len(str(of))}}/{of}  {text.replace(chr(10), '⏎')}")
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[2K{line[:width]}", end="", file=sys.stderr, flush=True)
            self._drawn = True
        elif self._lines:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal's line empty."""
        if self._drawn:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
