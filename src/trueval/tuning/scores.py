"""The scores on a model's card, out of the folders of runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trueval.errors import ConfigError, DataError
from trueval.report import wording
from trueval.tuning.tokenizer import file_sha256

_SHOWN = re.compile(r"pass@\d+|exact match.*")
"""Similarities say how near a text is, and not that it is right."""


def scores_section(model: Path, runs: Sequence[Path]) -> str:
    """The section of a card; empty without runs. Raises `ConfigError` for another model's run."""
    if not runs:
        return ""
    digest = file_sha256(model / "model.safetensors")
    read = [_read(run) for run in runs]
    for run, (manifest, _) in zip(runs, read, strict=True):
        _check(run, manifest["model"], model, digest)
    notes = "\n".join(_note(number, *each) for number, each in enumerate(read, 1))
    rows = "\n".join(
        row for number, each in enumerate(read, 1) for row in _rows(f"[{number}]", *each)
    )
    return f"""## Scores

By `trueval run`, each with its 95 % interval. The floor is what the best answer without a model
scores.

| run | metric | score | floor |
|---|---|---|---|
{rows}

{notes}
"""


def _read(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the estimates of a run's folder."""
    try:
        manifest, found = (
            json.loads((run / name).read_text(encoding="utf-8"))
            for name in ("manifest.json", "estimates.json")
        )
        same = found["manifest"]["config_digest"] == manifest["config_digest"]
        scored = found["raw"]["estimates"]
    except OSError as error:
        raise DataError(
            f"{run} is no folder of a finished run: {error.strerror}: {error.filename}",
            hint="`trueval run` says where it keeps a run",
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the records of {run} are none: {error!r}") from None
    if not same:
        raise DataError(f"manifest.json and estimates.json of {run} are of two runs")
    if not scored:
        raise DataError(f"{run} has no score: samples are missing", hint="trueval run --resume")
    return manifest, found


def _check(run: Path, theirs: Mapping[str, Any], model: Path, digest: str) -> None:
    """Raises `ConfigError` unless a run is of this model: by its digest, by name where it has none.

    Folders of one's own have none in their runs: nothing says that they stay as they are.
    """
    revision = str(theirs.get("revision", ""))
    name = str(theirs.get("id", ""))
    if revision == "local":
        fits = Path(name).name == model.resolve().name
    else:
        fits = len(revision) >= 7 and digest.startswith(revision.removeprefix("sha256:"))
    if not fits:
        mine = wording.named(model.resolve().name, digest)
        raise ConfigError(
            f"{run} is a run of {wording.named(name, revision)}, not of {mine}",
            hint=f"trueval run -m {model} ..., and --run with the folder that it names",
        )


def _rows(run: str, manifest: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    rows = []
    for estimate in found["raw"]["estimates"]:
        if not _SHOWN.fullmatch(estimate["metric"]):
            continue
        name = wording.metric(estimate, wording.beside(manifest))
        floor = wording.floor(estimate, found.get("floor") or {}).removeprefix("floor ")
        rows.append(f"| {run} | {name} | {wording.score(estimate)} | {floor or 'none'} |")
    return rows


def _note(number: int, manifest: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What a run was, on one line."""
    data = manifest["data"]
    of = data.get("of", data["problems"])
    part = f" of {wording.count(of)}" if of != data["problems"] else ""
    samples = found["raw"]["estimates"][0]["samples_per_problem"]
    facts = [
        wording.task(manifest),
        f"{wording.count(data['problems'])}{part} problems x {samples}",
        wording.engine(manifest),
        wording.model(manifest),
        f"trueval {manifest['versions'].get('trueval', 'unknown')}",
        f"config {str(manifest['config_digest'])[:12]}",
    ]
    distrust = "" if manifest.get("trusted", True) else f" **{wording.UNTRUSTED}**"
    return f"- [{number}] {'; '.join(facts)}.{distrust}"
