"""Weights & Biases: config, live figures, scores, a table of samples, and the run's files."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trueval.errors import MissingExtraError
from trueval.tracking import facts

MAX_TAG = 64


class WandbTracker:
    """A run in Weights & Biases. Its own variables rule: WANDB_MODE, WANDB_PROJECT, WANDB_DIR."""

    name = "wandb"

    def __init__(self) -> None:
        self._wandb: Any = None
        self._run: Any = None

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Open a run with the config; commands that resumed one another share its group."""
        try:
            self._wandb = importlib.import_module("wandb")
        except ModuleNotFoundError as error:
            raise MissingExtraError("wandb", extra="wandb", needed_for="tracking") from error
        quiet = self._wandb.Settings(console="off", silent=True, x_disable_stats=True)
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", facts.PROJECT),
            name=manifest["name"],
            group=manifest["name"],
            config=facts.settings(manifest),
            tags=[label[:MAX_TAG] for label in facts.labels(manifest)],
            settings=quiet,
        )

    def progress(self, figures: Mapping[str, float]) -> None:
        """Live figures, under `live/`."""
        self._run.log(facts.live(figures))

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Scores and outcomes as the run's summary, samples as a table, files as an artifact."""
        labels = facts.labels(summary["manifest"])
        self._run.tags = tuple(label[:MAX_TAG] for label in labels)
        self._run.summary.update({**facts.scores(summary), **facts.outcomes(summary)})
        table = self._wandb.Table(columns=list(facts.COLUMNS), data=list(facts.sample_rows(folder)))
        self._run.log({"samples": table})
        # Names of artifacts are narrower than names of folders.
        name = re.sub(r"[^A-Za-z0-9._-]", "-", f"run-{summary['name']}")[:128]
        artifact = self._wandb.Artifact(name, type="trueval-run", metadata={"labels": labels})
        for file in facts.artifacts(folder):
            artifact.add_file(str(file))
        self._run.log_artifact(artifact)
        self._run.finish()
