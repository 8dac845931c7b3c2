"""Runs that are there already, for reading alone: nothing is locked, cut off or written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trueval.errors import ConfigError, DataError, did_you_mean
from trueval.experiment.codec import sample_from_json
from trueval.report.summary import require_manifest
from trueval.types import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run's folder and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What reports call it: its folder's name."""
        return self.folder.name

    @property
    def samples_per_problem(self) -> int:
        """Samples that the run was to draw of each problem."""
        return int(self.manifest["config"].get("samples", 1))

    @property
    def problems(self) -> int:
        """Problems that the run was to draw."""
        return int(self.manifest["data"]["problems"])

    @property
    def ran_tests(self) -> bool:
        """Whether its verdicts are those of tests: where a task has none, no pass@k was written."""
        try:
            facts = json.loads((self.folder / "estimates.json").read_text("utf-8"))
            names = [found["metric"] for found in facts["raw"]["estimates"]]
        except (OSError, ValueError, KeyError, TypeError):
            return True
        return not names or any(name.startswith("pass@") for name in names)

    def samples(self) -> Iterator[Sample]:
        """Its samples one at a time, the last line of each key; a torn last line is left out."""
        file = self.folder / "samples.jsonl"
        last = {key: at for at, key in self._keys(file)}
        with file.open("rb") as lines:
            for at in sorted(last.values()):
                lines.seek(at)
                yield _sample(lines.readline(), file)

    def _keys(self, file: Path) -> Iterator[tuple[int, str]]:
        try:
            with file.open("rb") as lines:
                at = 0
                for line in lines:
                    if line.endswith(b"\n"):
                        yield at, _sample(line, file).request.key
                    at += len(line)
        except OSError as error:
            raise DataError(
                f"cannot read {file}: {error.strerror or error}",
                hint="give the folder of a run: it holds samples.jsonl and manifest.json",
            ) from error


def open_run(name: str, runs: str | Path = "runs") -> StoredRun:
    """The run in the folder `name`, or of that name under `runs`.

    Raises `ConfigError` where there is no such folder, `DataError` where it has no manifest.
    """
    folder = next((at for at in (Path(name), Path(runs) / name) if at.is_dir()), None)
    if folder is None:
        known = [at.name for at in Path(runs).glob("*") if (at / "manifest.json").exists()]
        raise ConfigError(
            f"no run {name!r}, here or in {runs}/", hint=did_you_mean(Path(name).name, known)
        )
    return StoredRun(folder=folder, manifest=_manifest(folder))


def _manifest(folder: Path) -> Mapping[str, Any]:
    file = folder / "manifest.json"
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        manifest = None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file}: {error}", hint="run it again") from error
    found = require_manifest({"name": str(folder), "manifest": manifest})
    if not isinstance(found.get("config"), Mapping) or "problems" not in found.get("data", {}):
        raise DataError(f"{file} is no manifest of a run", hint="run it again with `trueval run`")
    return found


def _sample(line: bytes, file: Path) -> Sample:
    try:
        return sample_from_json(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: not a sample ({error!r})", hint="delete that line; it is then drawn again"
        ) from error
