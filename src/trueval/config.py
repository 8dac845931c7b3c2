"""The experiment file: pydantic models that refuse unknown keys with a did-you-mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trueval import registry
from trueval.errors import ConfigError, did_you_mean
from trueval.types import (
    DENOISED,
    Denoising,
    DiffusionParams,
    GapLength,
    Mode,
    SamplingParams,
)

DEFAULT_MODEL = "smollm2-135m-instruct"
DEFAULT_INFILLER = "trueval-coder-3m"

_DRAW = SamplingParams()
_DENOISE = DiffusionParams()


class Section(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Section)


class DiffusionConfig(Section):
    """How a masked-diffusion model denoises; `DiffusionParams` has the defaults."""

    sampler: str = _DENOISE.sampler
    steps: Annotated[int, Field(ge=1)] = _DENOISE.steps
    mode: Denoising = _DENOISE.mode
    refresh: Annotated[int, Field(ge=1)] = _DENOISE.refresh
    threshold: Annotated[float, Field(gt=0, le=1)] | None = _DENOISE.threshold
    factor: Annotated[float, Field(gt=0)] | None = _DENOISE.factor
    remask_temperature: Annotated[float, Field(ge=0)] = _DENOISE.remask_temperature
    remask_cap: Annotated[float, Field(ge=0, le=1)] | None = _DENOISE.remask_cap
    block: Annotated[int, Field(ge=1)] | None = _DENOISE.block
    published_times: bool = _DENOISE.published_times
    delete_rest: bool = _DENOISE.delete_rest
    length: GapLength = _DENOISE.length
    """`fixed:N` or N, `oracle` (an assist), or `search`. None: `search` for infilling, and for
    completion `max_tokens`, which is the only length that it takes."""
    hole: Literal["", "line", "lines", "span"] = ""
    """What a search takes the gap for where the task does not say; empty: what it looks like."""

    @field_validator("length", mode="before")
    @classmethod
    def _is_a_policy(cls, length: Any) -> Any:
        number = str(length).removeprefix("fixed:")
        if length in (None, "oracle", "search"):
            return length
        if isinstance(length, bool) or not number.isdecimal() or int(number) < 1:
            raise ValueError(f"{length!r} is no length of a gap: fixed:N, oracle or search")
        return int(number)

    def params(self) -> DiffusionParams:
        """The same as a part of a request's parameters."""
        return DiffusionParams(**self.model_dump())


class SamplingConfig(Section):
    """How text is drawn; `SamplingParams` has the defaults."""

    temperature: Annotated[float, Field(ge=0, le=10)] = _DRAW.temperature
    top_p: Annotated[float, Field(gt=0, le=1)] = _DRAW.top_p
    top_k: Annotated[int, Field(ge=0)] = _DRAW.top_k
    max_tokens: Annotated[int, Field(ge=1)] = _DRAW.max_tokens
    stop: Literal["auto"] | tuple[str, ...] = "auto"
    """`auto`: the task's own for completion, none for chat."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = _DRAW.seed
    diffusion: DiffusionConfig | None = None
    """For `backend: diffusion`, which has it always."""

    @field_validator("stop")
    @classmethod
    def _no_literal_backslash(cls, stop: Literal["auto"] | tuple[str, ...]) -> Any:
        for sequence in () if stop == "auto" else stop:
            if "\\n" in sequence:
                raise ValueError(
                    f"stop sequence {sequence!r} holds a backslash and an n, not a newline; "
                    'in YAML write "\\n" in double quotes'
                )
            if not sequence:
                raise ValueError("an empty stop sequence would stop everything")
        return stop

    def params(self, task_stop: Sequence[str], mode: Mode) -> SamplingParams:
        """The parameters of a request, with `auto` decided."""
        auto = tuple(task_stop) if mode == "completion" else ()
        decided = {
            "stop": auto if self.stop == "auto" else self.stop,
            "diffusion": self.diffusion.params() if self.diffusion else None,
        }
        return SamplingParams(**{**self.model_dump(), **decided})


class GradingConfig(Section):
    """How programs are run."""

    grader: str = "functional"
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 3.0
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    workers: Annotated[int, Field(ge=1)] | None = None
    """None: one a processor core."""
    grading: Literal["split", "official"] = "split"
    """`official`: tests run beside the program, as published scores had it; it can be cheated."""
    isolation: Literal["auto", "full", "filtered", "bare"] = "auto"
    """`auto`: the strongest level that works here, but never `bare`, which only keeps time."""


class RunConfig(Section):
    """One run: what `trueval run` is told on the command line or in a file."""

    name: str | None = None
    """Folder below `output`; None makes one from task, model and digest."""
    task: str = "humaneval"
    """A benchmark's name, or the path of a JSON Lines file of one's own."""
    task_options: Mapping[str, Any] = {}
    """What the task alone takes, such as `file` or `split`."""
    model: str | None = None
    """Catalogue name, path or hub id; a server's own name for it. None: the backend's default."""
    backend: str = "auto"
    """`auto`: by what the model is."""
    options: Mapping[str, Any] = {}
    """What the backend alone takes, such as `base_url` or `precision`."""
    mode: Mode | Literal["auto"] = "auto"
    prompt: str = "auto"
    fim: str = "auto"
    """Infilling: `auto` (by the model's vocabulary), a FIM format by name or YAML file, `instruct`,
    `left-to-right`, or `native`."""
    post: str | tuple[str, ...] = "default"
    """A pipeline by name, or a list of steps: names, or `module:attribute` of one's own."""
    samples: Annotated[int, Field(ge=1)] = 1
    k: tuple[Annotated[int, Field(ge=1)], ...] = (1,)
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first so many problems."""
    problems: tuple[str, ...] = ()
    """Only problems of these names, where `*` is any text; all of them for none."""
    split: Literal["all", "dev", "test"] = "all"
    """Only the problems to tune on (`dev`), or those kept for the score (`test`)."""
    tried: Annotated[int, Field(ge=1)] = 1
    """Configurations that this one is a choice from; a sweep says it. On problems that are not
    `dev` it is printed beside the score."""
    cache: bool = True
    """Take completions and grades that were made before, under the same conditions."""
    sampling: SamplingConfig = SamplingConfig()
    grading: GradingConfig = GradingConfig()
    output: str = "runs"
    track: tuple[str, ...] = ()
    """Experiment trackers to tell of the run: `wandb`, `trackio`, `mlflow`."""

    @model_validator(mode="before")
    @classmethod
    def _denoises_as_published(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        if _needs_infiller(content):
            content = {**content, "model": DEFAULT_INFILLER}
        if not _denoises(content):
            return content
        given = content.get("sampling", {})
        if not isinstance(given, Mapping):
            return content
        # Here, so that a dry run, a digest and the manifest all have the values that are drawn by.
        published = {"temperature": DENOISED.temperature, "top_p": DENOISED.top_p}
        given = {**published, **given, "diffusion": given.get("diffusion") or {}}
        return {**content, "backend": "diffusion", "sampling": given}

    @model_validator(mode="after")
    def _enough_samples(self) -> RunConfig:
        if max(self.k) > self.samples:
            raise ValueError(
                f"pass@{max(self.k)} needs at least {max(self.k)} samples a problem, "
                f"got {self.samples}"
            )
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"{self.samples} samples a problem at temperature 0 are {self.samples} times the "
                "same; set sampling.temperature"
            )
        return self

    @field_validator("name")
    @classmethod
    def _is_one_folder(cls, name: str | None) -> str | None:
        if name is not None and (not name or "/" in name or name in (".", "..") or "\0" in name):
            raise ValueError(f"{name!r} is no name for one folder")
        return name


def _needs_infiller(content: Mapping[str, Any]) -> bool:
    """Whether the diffusion model that ships is meant, as the user names none."""
    backend, options = content.get("backend", "auto"), content.get("options") or {}
    if content.get("model") is not None or "base_url" in options:
        return False
    task = content.get("task")
    if backend != "auto" or not isinstance(task, str) or task not in registry.known("tasks"):
        return bool(backend == "diffusion")
    return bool(getattr(registry.resolve("tasks", task), "holes_in_python", False))


def _denoises(content: Mapping[str, Any]) -> bool:
    """Whether these settings of a run are for a diffusion model."""
    backend, model = content.get("backend", "auto"), content.get("model")
    if backend != "auto" or not isinstance(model, str) or "base_url" in content.get("options", ()):
        return bool(backend == "diffusion")
    recognise: Callable[[str], bool] = registry.resolve("recognisers", "diffusion")
    return recognise(model)


# Where a run lies, how many work at it and which estimates are made of it change no sample.
NOT_IN_DIGEST: Mapping[str, Any] = {
    "name": True,
    "output": True,
    "track": True,
    "k": True,
    "grading": {"workers": True},
    "options": {"devices": True},
    "cache": True,
    "tried": True,
}

# Settings (dotted) that are newer than runs on disk: at these values they change nothing, so they
# stand in no digest, and such a run goes on.
SAME_AS_UNSET: Mapping[str, Any] = {"problems": [], "split": "all", "sampling.diffusion": None}


OF_A_TASK: Mapping[str, str] = {
    "name": "task",
    "max_samples": "limit",
    "problems": "problems",
    "split": "split",
    "options": "task_options",
}
"""What may stand in a `task` of several keys -> the setting that it is."""


def load_config(file: Path | None, overrides: Mapping[str, Any]) -> RunConfig:
    """The file's settings with the overrides (`a.b` -> value) laid over them, checked."""
    content = plain_task(read_yaml(file), where=str(file)) if file else {}
    for key, value in overrides.items():
        lay(content, key.split("."), value)
    return validate(content, where=str(file) if file else "settings")


def validate(content: Mapping[str, Any], *, where: str) -> RunConfig:
    """A config from plain data. Raises `ConfigError` that names the key and what to type."""
    return checked(RunConfig, content, where=where)


def checked(kind: type[S], content: Mapping[str, Any], *, where: str) -> S:
    """A section from plain data. Raises `ConfigError` that names the key and what to type."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = _keys_at(kind, path[:-1])
            raise ConfigError(
                f"unknown key {'.'.join(path)!r} in {where}", hint=did_you_mean(path[-1], known)
            ) from error
        message = first["msg"].removeprefix("Value error, ")
        at = f" {'.'.join(path)!r}" if path else ""
        raise ConfigError(f"bad value{at} in {where}: {message}") from error


def parse_set(text: str) -> tuple[str, Any]:
    """`a.b=c` from `--set` as a key and a value; the value is read as YAML."""
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set takes KEY=VALUE, got {text!r}", hint="e.g. --set sampling.seed=1")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {key}: {value!r} is no YAML value: {error}") from error


def read_yaml(file: Path) -> dict[str, Any]:
    """The settings in a file, not yet checked. Raises `ConfigError`."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}{at}: {getattr(error, 'problem', error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds no settings", hint="e.g. a line `task: humaneval`")
    return content


def plain_task(content: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The settings with a `task` of several keys, `{name, max_samples}`, put where they belong.

    Raises `ConfigError` for a key that a task has not, and for one that is set in both places.
    """
    task = content.get("task")
    if not isinstance(task, Mapping):
        return dict(content)
    found = {key: value for key, value in content.items() if key != "task"}
    for key, value in task.items():
        if key not in OF_A_TASK:
            hint = did_you_mean(str(key), OF_A_TASK)
            raise ConfigError(f"unknown key 'task.{key}' in {where}", hint=hint)
        if OF_A_TASK[key] in found:
            raise ConfigError(f"{where} has both `task.{key}` and `{OF_A_TASK[key]}`, which is one")
        found[OF_A_TASK[key]] = value
    return found


def lay(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set the value at a path of keys, making the mappings on the way."""
    *folders, last = path
    for folder in folders:
        inner = content.get(folder)
        # A copy: a frozen section may share its mapping with the file's other users.
        content[folder] = dict(inner) if isinstance(inner, Mapping) else {}
        content = content[folder]
    content[last] = value


def _keys_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part)
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return list(model.model_fields)
