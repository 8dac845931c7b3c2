"""MLflow: parameters, live figures, scores, tags, and the run's files as artifacts."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trueval.errors import MissingExtraError
from trueval.tracking import facts

# MLflow takes no other characters in the name of a metric.
REFUSED = re.compile(r"[^\w\-./: ]")
MAX_PARAM = 500


class MlflowTracker:
    """A run in MLflow: in MLFLOW_TRACKING_URI, or in files under `mlruns` where none is set."""

    name = "mlflow"

    def __init__(self) -> None:
        self._mlflow: Any = None

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Open a run with the config as parameters."""
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            os.environ["MLFLOW_TRACKING_URI"] = Path("mlruns").absolute().as_uri()
        # MLflow 3 refuses its file store unless told that it is meant, which here it is.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        try:
            self._mlflow = importlib.import_module("mlflow")
        except ModuleNotFoundError as error:
            raise MissingExtraError("mlflow", extra="mlflow", needed_for="tracking") from error
        self._mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", facts.PROJECT))
        self._mlflow.start_run(run_name=manifest["name"])
        params = facts.flat(facts.settings(manifest))
        self._mlflow.log_params({metric(key): str(value)[:MAX_PARAM] for key, value in params})
        self._tag(manifest)

    def progress(self, figures: Mapping[str, float]) -> None:
        """Live figures, under `live/`, by the number of finished samples."""
        self._mlflow.log_metrics(facts.live(figures), step=int(figures.get("done", 0)))

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Scores and outcomes as metrics, files and a table of samples as artifacts."""
        found = {**facts.scores(summary), **facts.outcomes(summary)}
        self._mlflow.log_metrics({metric(name): float(value) for name, value in found.items()})
        self._tag(summary["manifest"])
        table = {"columns": facts.COLUMNS, "data": list(facts.sample_rows(folder))}
        self._mlflow.log_text(json.dumps(table), "samples_table.json")
        for file in facts.artifacts(folder):
            self._mlflow.log_artifact(str(file))
        self._mlflow.end_run()

    def _tag(self, manifest: Mapping[str, Any]) -> None:
        labels = ", ".join(facts.labels(manifest)) or "none"
        self._mlflow.set_tags({"labels": labels, "trusted": str(manifest["trusted"])})


def metric(name: str) -> str:
    """A name that MLflow takes: `pass-at-1 -one line known-` for `pass@1 (one line known)`."""
    return REFUSED.sub("-", name.replace("@", "-at-"))[:250]
