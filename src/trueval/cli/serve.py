"""`trueval serve-grader`."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option(
    "--task", "tasks", multiple=True, help="Served task; repeatable.  [default: humaneval]"
)
@click.option("--workers", type=int, help="Programs at a time.  [default: one a core]")
@click.option("--timeout", type=float, default=3.0, show_default=True, help="Seconds a program.")
@click.option("--token", envvar="TRUEVAL_TOKEN", help="Secret that clients have to send.")
@click.option(
    "--max-queue",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    help="Samples accepted at a time; more are told to come back (429).",
)
def command(**given: Any) -> int:
    """Grade programs over HTTP, for trainers and other machines.

    POST /grade, POST /grade/batch, GET /health; port 0 takes a free one. On an address that other
    machines can reach, a token is required: set TRUEVAL_TOKEN, as others can read a command line.
    Ctrl-C or SIGTERM stops it when what was accepted is answered; twice, at once.
    """
    from trueval.config import validate
    from trueval.experiment.plan import make_grader
    from trueval.experiment.service import GradingService, ServiceSettings

    settings = ServiceSettings(
        host=given["host"],
        port=given["port"],
        tasks=given["tasks"] or ("humaneval",),
        token=given["token"] or "",
        max_queue=given["max_queue"],
    )
    grading = {"timeout_s": given["timeout"], "workers": given["workers"]}
    config = validate({"grading": grading}, where="options")
    service = GradingService(make_grader(config, background=False), settings)
    asyncio.run(_serve(service, settings.tasks))
    return 0


async def _serve(service: Any, tasks: tuple[str, ...]) -> None:
    """Serve until a signal says stop, then end in order."""
    stop = _until_signal()
    try:
        url = await service.start()
        what = f"grading {', '.join(tasks)} at {url}"
        click.echo(f"{what} (isolation {service.isolation}); Ctrl-C stops", err=True)
        await stop.wait()
        click.echo(f"stopping: {service.pending} samples are still owed", err=True)
    finally:
        await service.stop()


def _until_signal() -> asyncio.Event:
    """Set at the first signal; the second one then ends the process as it always does."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def first() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, first)
    return stop
