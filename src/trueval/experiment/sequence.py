"""Carries out an experiments file: a model loaded once for the runs that share it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trueval.config import RunConfig
from trueval.errors import TruevalError
from trueval.experiment.engine import Engine
from trueval.experiment.execute import Screen, carry_out, plan_for, prepare
from trueval.experiment.experiments import Experiment, Experiments
from trueval.experiment.lanes import Lane, Unit, lanes, side_by_side
from trueval.experiment.own_steps import own_code
from trueval.experiment.plan import asked
from trueval.experiment.runner import first_of
from trueval.experiment.sharing import Cores, Graders, Share, kind_of_grader
from trueval.experiment.whole import is_whole
from trueval.postprocess.named import pipeline_of
from trueval.prompts.strategy import load_prompt
from trueval.report.summary import Summary
from trueval.report.together import Together
from trueval.types import TaskData, digest_of, to_json

ABOUT = "experiment.json"
"""In a run's folder: what the experiments file said of it, once it is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one experiment."""

    experiment: Experiment
    summary: Summary | None = None
    """None for one that failed."""
    skipped: bool = False
    """It was finished before."""
    error: TruevalError | None = None

    @property
    def score(self) -> float | None:
        """The headline; None where there is none."""
        found = self.summary["raw"]["estimates"] if self.summary else []
        return found[0]["value"] if found else None


async def run_experiments(
    experiments: Experiments, *, screen: Screen, command: str = "", force: bool = False
) -> list[Result]:
    """Every run of the file, in its order, those that are finished left as they are.

    Runs whose models compute in different places go on side by side. An experiment that fails does
    not keep the others from running: its error is in its result.
    """
    for experiment in experiments.listed or ():
        prepare(experiment.config)  # a name that nothing has is found before the first run
    found = lanes(experiments)
    work = _Work(experiments, found, screen, command=command, force=force)
    try:
        async with asyncio.TaskGroup() as group:
            for lane in found:
                group.create_task(work.lane(lane))
    except BaseExceptionGroup as errors:
        raise first_of(errors) from None
    finally:
        await work.close()
    return [result for _, results in sorted(work.results.items()) for result in results]


class _Work:
    """One carrying out of a file."""

    def __init__(
        self,
        experiments: Experiments,
        found: tuple[Lane, ...],
        screen: Screen,
        *,
        command: str,
        force: bool,
    ) -> None:
        self.results: dict[int, list[Result]] = {}
        """Place of a unit in the file -> what became of its runs."""
        self._begun = 0
        self._experiments = experiments
        self._screen = screen
        self._together = Together(screen)
        self._command = command
        self._force = force
        self._cores = Cores()
        self._graders: Graders | None = None
        if side_by_side(found):
            here = any(lane.here for lane in found)
            self._graders = Graders(kinds=_kinds(found), background=here)

    async def lane(self, lane: Lane) -> None:
        """The units of one place: group after group, and of a group as many as may be at a time."""
        for units in lane.groups:
            engine = Engine()
            waiting = iter(units)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(lane.width, len(units))):
                        group.create_task(self._each(waiting, engine, lane))
            finally:
                await engine.close()

    async def close(self) -> None:
        """End what the runs shared."""
        if self._graders is not None:
            await self._graders.close()

    async def _each(self, waiting: Iterator[Unit], engine: Engine, lane: Lane) -> None:
        share = Share(cores=self._cores, graders=self._graders, here=lane.here)
        for unit in waiting:
            results = self.results.setdefault(unit.number, [])
            search = unit.search()
            while (point := search.ask()) is not None:
                experiment = self._experiments.at(unit.base, point)
                result = await self._run(experiment, engine, share)
                search.tell(result.score)
                results.append(result)

    async def _run(self, experiment: Experiment, engine: Engine, share: Share) -> Result:
        self._begun += 1
        tried = self._experiments.tried
        self._screen.message(f"experiment {experiment.name} ({self._begun} of {tried})")
        try:
            task = prepare(experiment.config)
            digest = experiment_digest(experiment.config, task)
            if (known := _finished(experiment.config, digest)) is not None:
                return Result(experiment=experiment, summary=known, skipped=True)
            async with share.turn():
                summary = await self._carried_out(experiment, task, engine, share)
        except TruevalError as error:
            self._screen.message(f"experiment {experiment.name}: {error}")
            return Result(experiment=experiment, error=error)
        if is_whole(summary):
            _remember(experiment, digest)
        return Result(experiment=experiment, summary=summary)

    async def _carried_out(
        self, experiment: Experiment, task: TaskData, engine: Engine, share: Share
    ) -> Summary:
        started = time.monotonic()
        config = experiment.config
        with self._together.part(experiment.name) as screen:
            screen.update(phase="model", done=0, total=None, passed=0, graded=0, tokens=0)
            async with engine.use(config, screen) as (backend, model):
                summary = await carry_out(
                    await plan_for(config, task, backend, model),
                    task,
                    backend,
                    screen=screen,
                    command=self._command,
                    force=self._force,
                    started=started,
                    share=share,
                )
                if not is_whole(summary):
                    engine.suspect()
                return summary


def _kinds(found: tuple[Lane, ...]) -> int:
    """How many graders may be in use at a time."""
    kinds: set[object] = set()
    for unit in (unit for lane in found for group in lane.groups for unit in group):
        varies = unit.varies("grading", "task", "task_options")
        kinds.add(unit.number if varies else kind_of_grader(unit.first.config))
    return len(kinds)


def experiment_digest(config: RunConfig, task: TaskData) -> str:
    """What has to be the same for a finished run to be the one that is asked for.

    No model is loaded for it, so that weights which changed under their name are not noticed.
    """
    prompt = ""
    if config.prompt != "auto":
        prompt = digest_of(load_prompt(config.prompt).model_dump(mode="json"))
    fim = Path(config.fim).read_text("utf-8") if Path(config.fim).is_file() else ""
    code = own_code(config.post, pipeline_of(config.post))
    return digest_of([{**asked(config), **code}, config.k, config.tried, task.digest, prompt, fim])


def _finished(config: RunConfig, digest: str) -> Summary | None:
    """The facts of a run that is finished under the same settings, or None."""
    folder = Path(config.output) / str(config.name)
    try:
        about = json.loads((folder / ABOUT).read_text("utf-8"))
        if about["digest"] != digest:
            return None
        facts: Summary = json.loads((folder / "estimates.json").read_text("utf-8"))
        facts["run_dir"] = str(folder)  # it may have been moved since
        return facts if is_whole(facts) and (folder / "samples.jsonl").exists() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # then it is run, which draws only what is owed


def _remember(experiment: Experiment, digest: str) -> None:
    folder = Path(experiment.config.output) / experiment.name
    about = {
        "digest": digest,
        "description": experiment.description,
        "sweep": to_json(experiment.point),
    }
    # Not written: the run is then resumed next time, with nothing to draw.
    try:
        (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    except OSError:
        return
