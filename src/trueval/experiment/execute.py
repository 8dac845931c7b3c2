"""`trueval run` from a config to its facts: open, control, stream, estimate, write."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Unpack

from trueval.config import RunConfig
from trueval.errors import ConfigError
from trueval.experiment.benchmark import load_benchmark
from trueval.experiment.cache import Cache
from trueval.experiment.denoising import labels
from trueval.experiment.leaks import labelled
from trueval.experiment.manifest import check_same, make_manifest, now
from trueval.experiment.on_demand import OnDemand
from trueval.experiment.oracle import with_lengths
from trueval.experiment.own_steps import own_code
from trueval.experiment.plan import (
    NO_MODEL,
    Plan,
    check_names,
    make_backend,
    make_grader,
    make_plan,
)
from trueval.experiment.runner import Progress, Runner
from trueval.experiment.sharing import Share
from trueval.experiment.store import RunStore
from trueval.experiment.summary import summarise
from trueval.experiment.whole import mark, told_again
from trueval.honesty.controls import ControlsReport, require, run_controls
from trueval.honesty.floor import NullFloor, null_floor
from trueval.prompts.fim import Native
from trueval.protocols import Backend, Grader
from trueval.report import live
from trueval.report.html import render_html
from trueval.report.summary import Summary, TimeFacts
from trueval.tracking.host import Tracking, check_trackers
from trueval.types import Mode, TaskData, to_json


class Screen(Protocol):
    """Where progress goes: `report.live.LiveLine`, or anything with its two methods."""

    def update(self, **fields: Unpack[live.Progress]) -> None:
        """New figures."""
        ...

    def message(self, text: str) -> None:
        """A line that stays."""
        ...


@dataclass(frozen=True, slots=True)
class _Open:
    """What a run holds while it goes on."""

    plan: Plan
    grader: Grader
    isolation: Any


async def execute(
    config: RunConfig, *, screen: Screen, command: str = "", force: bool = False
) -> Summary:
    """Run, or go on with, what the config describes, and write its report.

    Raises a `TruevalError` for a user's mistake, an unusable model, failed controls, or a disk
    that does not take the samples; what was graded until then stays and is resumed.
    """
    started = time.monotonic()
    task = prepare(config)
    backend = on_demand(config, screen)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(backend.close)
        screen.update(phase="model", done=0, total=None)
        plan = await plan_for(config, task, backend, await backend.open())
        return await carry_out(
            plan, task, backend, screen=screen, command=command, force=force, started=started
        )


def on_demand(config: RunConfig, screen: Screen) -> OnDemand:
    """The backend that a config asks for, not yet open; its model is loaded when it has to be."""
    _, backend = make_backend(config)
    return OnDemand(backend, listen=lambda: screen.update(phase="load model", done=0, total=None))


async def plan_for(
    config: RunConfig, task: TaskData, backend: OnDemand, model: Mapping[str, Any]
) -> Plan:
    """The plan of a config for an open backend, which said `model` of itself."""
    plan = make_plan(config, task, model)
    await _check_holes(plan, backend.inner)
    return await with_lengths(plan, backend.inner)


def prepare(config: RunConfig) -> TaskData:
    """The task of a config whose every name is known. Raises `ConfigError` before a model loads."""
    task = load_benchmark(config.task, config.task_options)
    check_names(config, task)
    check_trackers(config.track)
    return task


async def carry_out(
    plan: Plan,
    task: TaskData,
    backend: OnDemand,
    *,
    screen: Screen,
    command: str,
    force: bool,
    started: float,
    share: Share | None = None,
) -> Summary:
    """Controls, samples, estimates and report of a plan, from a backend that is open.

    `task`: the whole benchmark, of which the plan may have a part. `started` is when the command
    was, by `time.monotonic`. `share`: with runs beside it; None for a run on its own.
    """
    config, asked, share = plan.config, plan, share or Share()
    folder = Path(config.output) / plan.name()
    if (known := told_again(asked, folder, force=force)) is not None:
        return known
    async with AsyncExitStack() as stack:
        grader, isolation = await stack.enter_async_context(
            share.grader(config, plan.task, background=backend.shares_cores)
        )
        held = _Open(plan, grader, isolation)
        store = stack.enter_context(RunStore(folder))
        check_same(store.manifest(), plan, store.folder)
        async with share.cores.alone():  # as they are for a run on its own
            report = await _controls(held, screen=screen)
            trusted = require(report, force=force)
            plan = await _linted(plan, task, held, screen)
            floor = await _floor(held, screen)
        manifest = make_manifest(
            plan,
            name=plan.name(),
            isolation=held.isolation,
            controls=report,
            trusted=trusted,
            command=command,
        )
        resumed = len(store)
        store.write_manifest(manifest)
        tracking = stack.enter_context(Tracking(config.track, store.folder))
        cache = Cache.open(on=config.cache)
        stack.callback(cache.close)
        clock = _Clock(screen, backend, cache, resumed=resumed, total=plan.total, tracking=tracking)
        runner = Runner(
            plan,
            # What another run's completions were made by is not what answers here.
            backend=backend if plan.origin else cache.backend(backend, plan.model),
            grader=cache.grader(grader, held.isolation),
            store=store,
            listen=clock.tell,
            share=share,
        )
        clock.tell(runner.progress)
        await runner.run()
        forced = force and runner.progress.infra > 0
        trusted = trusted and not forced
        # With what the samples say of an approximate mode.
        drawn = labels(plan.params, store.samples())
        manifest = replace(manifest, labels=drawn, trusted=trusted, finished=now())
        store.write_manifest(manifest)
        summary = summarise(
            plan,
            store,
            manifest,
            report,
            floor=floor,
            time=_time(plan, store, clock, wall_s=time.monotonic() - started),
            resumed=resumed if runner.progress.drawn else 0,
            force=force,
        )
        summary["notes"] += cache.notes()
        _write_reports(store, summary)
        if tracking:
            screen.update(phase="tracking", done=0, total=None)
            # After the reports, which it hands on; a failure is then written into them.
            if notes := await tracking.finish():
                summary["notes"] += notes
                _write_reports(store, summary)
        mark(asked, folder, summary, force=force)
        return summary


def _write_reports(store: RunStore, summary: Summary) -> None:
    store.write("estimates.json", json.dumps(summary, indent=2) + "\n")
    store.write("report.html", render_html(summary, map(to_json, store.samples())))


async def control(config: RunConfig, *, mode: Mode, screen: Screen) -> ControlsReport:
    """Run the controls of a config's chain anew, with no model: `trueval controls`."""
    task = load_benchmark(config.task, config.task_options)
    model = {"id": NO_MODEL, "revision": "-", "mode": mode}
    plan = make_plan(config.model_copy(update={"mode": mode}), task, model)
    grader = make_grader(config, task, background=False)
    try:
        held = _Open(plan, grader, await grader.open())
        return await _controls(held, screen=screen, use_cache=False)
    finally:
        await grader.close()


async def _controls(held: _Open, *, screen: Screen, use_cache: bool = True) -> ControlsReport:
    screen.update(phase="controls", done=0, total=None)
    plan = held.plan
    return await run_controls(
        plan.task,
        plan.pipeline,
        held.grader,
        code=own_code(plan.config.post, plan.pipeline),
        mode=plan.mode,
        stop=plan.params.stop,
        isolation=held.isolation,
        end_tokens=getattr(plan.prompt, "stop", ()),
        progress=lambda done, of: screen.update(done=done, total=of),
        use_cache=use_cache,
    )


async def _linted(plan: Plan, task: TaskData, held: _Open, screen: Screen) -> Plan:
    screen.update(phase="leak lint", done=0, total=None)
    return await labelled(
        plan,
        task,
        held.grader,
        isolation=held.isolation,
        progress=lambda done, of: screen.update(done=done, total=of),
    )


async def _check_holes(plan: Plan, backend: Backend) -> None:
    """Refuse to send prefix and suffix to what does not fill holes itself."""
    if not isinstance(plan.prompt, Native):
        return
    ask = getattr(backend, "why_not_infill", None)
    reason = await ask() if ask else f"the backend {backend.name} does not fill holes itself"
    if reason:
        raise ConfigError(f"--fim native: {reason}", hint="--fim auto, or a FIM format by name")


async def _floor(held: _Open, screen: Screen) -> NullFloor | None:
    """What a task scores without a model; None for completion, where that is nothing."""
    if held.plan.task.kind != "infilling":
        return None
    screen.update(phase="null floor", done=0, total=None)
    return await null_floor(
        held.plan.task,
        held.grader,
        isolation=held.isolation,
        progress=lambda done, of: screen.update(done=done, total=of),
    )


class _Clock:
    """Hands a run's progress to screen and trackers, and keeps the time of generation."""

    def __init__(
        self,
        screen: Screen,
        backend: OnDemand,
        cache: Cache,
        *,
        resumed: int,
        total: int,
        tracking: Tracking,
    ) -> None:
        self._tracking = tracking
        self._backend = backend
        self._cache = cache
        self._started = time.monotonic() - backend.load_s
        self._total = total
        self._drawn = self._retries = 0
        self.generation_s = 0.0
        self.tokens = 0
        self._update: Callable[..., None] = screen.update
        screen.update(phase="generate+grade", done=resumed, total=total, tokens=0)

    def tell(self, progress: Progress) -> None:
        """New figures from the runner."""
        # What the cache had was not generated: it would make the engine look fast.
        tokens = max(0, progress.tokens - self._cache.completions.tokens)
        if progress.drawn > self._drawn:
            self._drawn = progress.drawn
            self.generation_s = time.monotonic() - self._started - self._backend.load_s
            self.tokens = tokens
        if progress.retrying:
            self._retries = max(self._retries, progress.retrying)
            done = self._retries - progress.retrying
            self._update(phase="timeouts, alone", done=done, total=self._retries)
        elif not self._backend.loading:
            self._update(
                phase="generate+grade",
                done=progress.done,
                total=self._total,
                tokens=tokens,
            )
        figures = {
            "passed": progress.passed,
            "graded": progress.done - progress.infra,
            "tokens": tokens,
            "infra": progress.infra,
            "backlog": progress.backlog,
        }
        self._update(**figures)
        self._tracking.progress(done=progress.done, total=progress.total, **figures)


def _time(plan: Plan, store: RunStore, clock: _Clock, *, wall_s: float) -> TimeFacts:
    if plan.origin:  # nothing was generated
        return {"generation_s": 0.0, "wall_s": wall_s, "tokens_per_s": 0.0}
    earlier = store.facts()
    # A command that found nothing to draw reports the time of the one that did.
    if not clock.generation_s and earlier:
        found: TimeFacts = earlier["time"]
        return found
    speed = clock.tokens / clock.generation_s if clock.generation_s else 0.0
    return {"generation_s": clock.generation_s, "wall_s": wall_s, "tokens_per_s": speed}


def run_config(config: RunConfig, *, screen: Screen, **options: Any) -> Summary:
    """`execute` for callers without an event loop."""
    return asyncio.run(execute(config, screen=screen, **options))
