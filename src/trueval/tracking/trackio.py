"""Trackio: config, live figures, scores and a table of samples, in a database on this machine."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trueval.errors import MissingExtraError
from trueval.tracking import facts


class TrackioTracker:
    """A run in Trackio. Its own variables rule: TRACKIO_PROJECT, TRACKIO_DIR, TRACKIO_SPACE_ID."""

    name = "trackio"

    def __init__(self) -> None:
        self._trackio: Any = None

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Open a run with the config."""
        try:
            self._trackio = importlib.import_module("trackio")
        except ModuleNotFoundError as error:
            raise MissingExtraError("trackio", extra="trackio", needed_for="tracking") from error
        self._trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", facts.PROJECT),
            name=f"{manifest['name']} {manifest['started']}",
            group=manifest["name"],
            config={**facts.settings(manifest), "labels": facts.labels(manifest)},
            embed=False,
        )

    def progress(self, figures: Mapping[str, float]) -> None:
        """Live figures, under `live/`."""
        self._trackio.log(facts.live(figures))

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Scores, outcomes and a table of samples. The run's files stay in its folder."""
        rows = list(facts.sample_rows(folder))
        table = self._trackio.Table(columns=list(facts.COLUMNS), data=rows)
        self._trackio.log({**facts.scores(summary), **facts.outcomes(summary)})
        self._trackio.log({"samples": table})
        self._trackio.finish()
