"""Ctrl-C and SIGTERM, for every command that works for long."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

T = TypeVar("T")


def until_interrupted(work: Coroutine[Any, Any, T], *, hint: str) -> T:
    """The result of `work`; Ctrl-C and SIGTERM end it in order, and say how to go on."""

    async def run() -> T:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo(f"\ninterrupted: every finished sample is kept; {hint}", err=True)
        raise click.exceptions.Exit(5) from None
