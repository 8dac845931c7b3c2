"""What a run is going to do, with every `auto` decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trueval import registry
from trueval.config import DEFAULT_MODEL, NOT_IN_DIGEST, SAME_AS_UNSET, RunConfig
from trueval.errors import ConfigError
from trueval.experiment.denoising import assists, check_denoises, decided, with_length
from trueval.experiment.graders import grader_of
from trueval.experiment.infilling import check_pipeline, infill_controls, infilling
from trueval.experiment.own_steps import own_code
from trueval.experiment.realign import realigned
from trueval.experiment.selection import chosen, chosen_among
from trueval.postprocess.named import pipeline_of
from trueval.postprocess.pipeline import Pipeline
from trueval.prompts.fim import FimStrategy, Native
from trueval.prompts.strategy import DEFAULTS, LibraryPrompt, load_prompt
from trueval.protocols import Backend, Grader
from trueval.types import Mode, Request, SamplingParams, TaskData, digest_of, to_json

NO_MODEL = "controls"
"""What a plan for controls alone has for a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, decided: which problems, how asked, how read, how drawn."""

    config: RunConfig
    task: TaskData
    problems_of: int
    """Problems in the whole benchmark; more than `task.problems` under a limit."""
    prompt: LibraryPrompt | FimStrategy
    pipeline: Pipeline
    params: SamplingParams
    mode: Mode
    model: Mapping[str, Any]
    """What the open backend said of the model."""
    assists: tuple[str, ...] = ()
    """Privileges by task and prompt, printed beside every score."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """For completions of another run: its name, and the digest of its samples."""
    lint: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where the leak lint found something (`prompt`, `post-processing`) -> the codes."""
    lengths: Mapping[str, int] = field(default_factory=dict)
    """problem_id -> tokens of its gap, where the model is told the true middle's."""

    def requests(self) -> Iterator[Request]:
        """Every sample that is owed: all problems once, then all again for the next index.

        A model that denoises gets all samples of a problem together: they share what it said.
        """
        name = f"{self.model['id']}@{self.model['revision']}"
        if precision := self.model.get("precision"):
            name += f":{precision}"
        problems, indices = self.task.problems, range(self.config.samples)
        pairs = ((problem, index) for index in indices for problem in problems)
        if self.params.diffusion is not None:
            pairs = ((problem, index) for problem in problems for index in indices)
        for problem, index in pairs:
            yield Request(
                problem_id=problem.problem_id,
                sample_index=index,
                model=name,
                prompt=self.prompt(problem),
                params=self._params(problem.problem_id),
            )

    def _params(self, problem_id: str) -> SamplingParams:
        if problem_id not in self.lengths:
            return self.params
        return with_length(self.params, min(self.lengths[problem_id], self.params.max_tokens))

    @property
    def total(self) -> int:
        """Samples in all."""
        return self.config.samples * len(self.task.problems)

    def identity(self) -> dict[str, Any]:
        """Everything that can change a sample or its verdict; a run resumes under the same only."""
        settings = asked(self.config)
        model = {k: self.model[k] for k in ("id", "revision", "precision") if k in self.model}
        return {
            **settings,
            "mode": self.mode,
            "prompt": self.prompt.name,
            "prompt_digest": digest_of(self.prompt.model_dump(mode="json"))[:16],
            "post": self.pipeline.name,
            "post_steps": [step.name for step in self.pipeline.steps],
            **own_code(self.config.post, self.pipeline),
            "sampling": to_json(self.params),
            "data_digest": self.task.digest,
            "model": model,
            **({"reprocessed_from": dict(self.origin)} if self.origin else {}),
        }

    def name(self) -> str:
        """The run's folder, unless the user chose one."""
        if self.config.name:
            return self.config.name
        stem = str(self.model["id"]).rstrip("/").rsplit("/", 1)[-1].removesuffix(".gguf")
        slug = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).strip(".") or "model"
        return f"{self.task.name}-{slug}-{self.mode}-{digest_of(self.identity())[:8]}"


def make_plan(config: RunConfig, task: TaskData, model: Mapping[str, Any]) -> Plan:
    """Decide every `auto` from what the backend said of its model. Raises `ConfigError`."""
    if task.kind == "infilling":
        return _infilling_plan(config, task, model)
    if config.fim != "auto":
        raise ConfigError(f"{task.name} has no holes to fill", hint="leave out --fim")
    mode: Mode = model["mode"] if config.mode == "auto" else config.mode
    prompt = load_prompt(DEFAULTS[mode] if config.prompt == "auto" else config.prompt)
    if config.mode == "auto" and prompt.mode == "completion":
        mode = "completion"  # a chat model goes on from text, too; the reverse needs a template
    if prompt.mode != mode:
        fits = f"--mode {prompt.mode}, or leave out --prompt"
        raise ConfigError(f"the prompt {prompt.name!r} is for {prompt.mode} models", hint=fits)
    pipeline = pipeline_of(config.post)
    return Plan(
        config=config,
        task=chosen(task, config),
        problems_of=len(task.problems),
        prompt=prompt,
        pipeline=realigned(pipeline, prompt, task.problems),
        params=decided(config.sampling.params(task.stop, mode), gaps=False),
        mode=mode,
        model=model,
        assists=chosen_among(config),
    )


def _infilling_plan(config: RunConfig, task: TaskData, model: Mapping[str, Any]) -> Plan:
    task = chosen(of := task, config)
    if model["id"] == NO_MODEL:
        found = infill_controls(config, task, model["mode"])
    else:
        found = infilling(config, task, model)
    gaps = isinstance(found.prompt, Native)
    params = decided(config.sampling.params(found.stop, "completion"), gaps=gaps, hole=task.hole)
    return Plan(
        config=config,
        task=task,
        problems_of=len(of.problems),
        prompt=found.prompt,
        pipeline=found.pipeline,
        params=params,
        mode=found.mode,
        model=model,
        # Each is said once, however many parts of the run know it.
        assists=tuple(dict.fromkeys((*found.assists, *assists(params), *chosen_among(config)))),
    )


def check_names(config: RunConfig, task: TaskData) -> None:
    """Refuse a name that nothing has, before a model is loaded for it."""
    if task.kind == "infilling":
        check_pipeline(config.post)
    else:
        pipeline_of(config.post)
    registry.resolve("graders", config.grading.grader)
    if config.prompt != "auto":
        load_prompt(config.prompt)
    if config.sampling.diffusion is not None:
        name = backend_name(config)
        backend = registry.resolve("backends", name)
        check_denoises(name, backend, config.sampling.params((), "completion"))


def asked(config: RunConfig) -> dict[str, Any]:
    """The settings that can change a sample or its verdict, as they were given."""
    settings = config.model_dump(mode="json", exclude=dict(NOT_IN_DIGEST))
    for path, value in SAME_AS_UNSET.items():
        *folders, key = path.split(".")
        inner = settings
        for folder in folders:
            inner = inner[folder]
        if inner[key] == value:
            del inner[key]
    return settings


def make_backend(config: RunConfig) -> tuple[str, Backend]:
    """The backend that the config asks for, not yet open, by name."""
    name = backend_name(config)
    given = dict(config.options)
    if config.model is not None:
        given["model"] = config.model
    if config.mode != "auto":
        given["mode"] = config.mode
    return name, registry.make("backends", name, given)


def make_grader(config: RunConfig, task: TaskData | None = None, *, background: bool) -> Grader:
    """The grader that the config asks for, not yet open; for infilling it compares texts too."""
    return grader_of(config.grading.model_dump(), task, background=background)


def backend_name(config: RunConfig) -> str:
    """The backend of a config: the one it names, or by what its model is."""
    if config.backend != "auto":
        return config.backend
    if "base_url" in config.options:
        return "server"
    from trueval.generate.models import resolve_model

    return resolve_model(config.model or DEFAULT_MODEL).backend
