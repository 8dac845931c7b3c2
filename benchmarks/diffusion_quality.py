"""What each rule and mode fills of single lines, beside how long one takes.

    trueval run benchmarks/diffusion_quality.yml --output FOLDER
    python benchmarks/diffusion_quality.py FOLDER [--gaps 48]

and the same with `diffusion_lines.yml`, `--gaps 0 --results diffusion_lines`.

Scores are those of the runs in the folder; the time a gap is measured here, one rule after the
other, on so many gaps that are evenly spaced over the set. The figures go to
results/diffusion_quality.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from diffusion import real_gaps
from trueval.diffusion.engine import Engine
from trueval.diffusion.gaps import Gap
from trueval.diffusion.model import Model, load_model
from trueval.diffusion.settings import Settings
from trueval.score.intervals import wilson

RESULTS = Path(__file__).parent / "results"
ROWS = 4
"""Gaps in flight at a time."""


def scores(folder: Path) -> dict[str, Any]:
    """What a run found."""
    lines = (folder / "samples.jsonl").read_text("utf-8").splitlines()
    rows = {row["request"]["key"]: row for row in map(json.loads, lines)}.values()
    passed = sum(row["grade"]["verdict"] == "passed" for row in rows)
    exact = sum(row["grade"]["matches"]["whole-text"] for row in rows)
    facts = [row["completion"]["denoising"] for row in rows]
    checked = [one["agrees"] for one in facts if "agrees" in one]
    n = len(facts)
    found: dict[str, Any] = {
        "problems": n,
        "passed": passed,
        "pass_at_1": round(passed / n, 4),
        "interval": [round(end, 4) for end in wilson(passed, n)],
        "exact_text": round(exact / n, 4),
        "forwards": round(sum(one["forwards"] for one in facts) / n, 2),
        "windows": round(sum(one.get("window_forwards", 0) for one in facts) / n, 2),
    }
    if checked:
        found["rows_as_exact"] = [sum(checked), len(checked)]
    return found


def settings_of(folder: Path) -> Settings:
    """How a run denoised."""
    sampling = json.loads((folder / "manifest.json").read_text("utf-8"))["config"]["sampling"]
    said = {**sampling, **sampling["diffusion"]}
    return Settings(**{f.name: said[f.name] for f in fields(Settings) if f.name in said})


def seconds(model: Model, gaps: Sequence[Gap], settings: Settings) -> float:
    """A gap's share of the time that filling all of them takes."""
    asked = [replace(gap, settings=settings) for gap in gaps]
    engine = Engine(model, rows=ROWS)
    started = time.perf_counter()
    list(engine.fill(asked))
    return (time.perf_counter() - started) / len(gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="of the runs")
    parser.add_argument("--model", default="trueval-coder-3m")
    parser.add_argument("--gaps", type=int, default=48)
    parser.add_argument("--results", default="diffusion_quality", help="the name of the file")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_model(options.model) if options.gaps else None
    gaps = real_gaps(model, options.gaps) if model else []
    found: dict[str, Any] = {}
    for folder in sorted(path.parent for path in options.folder.glob("*/manifest.json")):
        found[folder.name] = scores(folder)
        if model is not None:
            seconds(model, gaps[:2], settings_of(folder))
            taken = seconds(model, gaps, settings_of(folder))
            found[folder.name]["ms_a_gap"] = round(taken * 1000, 1)
        print(folder.name, found[folder.name], flush=True)
    about = {"threads": options.threads, "torch": torch.__version__, "timed_gaps": len(gaps)}
    file = RESULTS / f"{options.results}.json"
    file.write_text(json.dumps({**about, "runs": found}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
