"""How often intervals hold the truth, and how often `trueval compare` claims what is not there.

    nice python -m benchmarks.simulation [--rounds 2000]

Plays the worlds of `tests/score/simulation.py` and writes results/statistics.json. (A script named
statistics.py here would hide the standard library's module from its neighbours.)
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.score.simulation import (
    DIFFERENT,
    IDENTICAL,
    SINGLE,
    best_of,
    compared,
    coverage_of_scores,
    family_false_positives,
    power_at_detectable,
)

RESULTS = Path(__file__).parent / "results" / "statistics.json"


def measured(rounds: int) -> Iterator[tuple[str, Any]]:
    """(name, figures) of everything, as it is done."""
    seeds = iter(range(20_260_301, 20_261_301))
    for world in SINGLE:
        yield (
            f"score interval, {world.name}",
            {"coverage": coverage_of_scores(world, rounds, next(seeds))},
        )
    for world in IDENTICAL:
        yield f"identical models, {world.name}", compared(world, rounds, next(seeds))
    for world in DIFFERENT:
        yield f"different models, {world.name}", compared(world, rounds, next(seeds))
    for others in (3, 10):
        rate = family_false_positives(others, rounds, next(seeds))
        yield f"Holm, {others} identical models beside the first", {"claims": rate}
    for problems, flipping in ((164, 0.05), (164, 0.2), (1033, 0.2)):
        yield (
            f"detectable, {problems} problems, {flipping:.0%} flip",
            power_at_detectable(problems, flipping, rounds, next(seeds)),
        )
    for configs, spread in ((2, 0.0), (8, 0.0), (32, 0.0), (8, 0.05), (8, 0.3)):
        yield (
            f"best of {configs}, true scores +-{spread:.0%}",
            best_of(configs, spread, max(20, rounds // 10), next(seeds)),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2_000)
    rounds = parser.parse_args().rounds
    started, figures = time.monotonic(), {}
    for name, found in measured(rounds):
        figures[name] = {key: round(value, 4) for key, value in found.items()}
        print(f"{name:<52} " + "  ".join(f"{key} {value:.4f}" for key, value in found.items()))
    facts = {
        "rounds": rounds,
        "noise_at_95_percent": round(1.96 * (0.05 * 0.95 / rounds) ** 0.5, 4),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seconds": round(time.monotonic() - started),
        "figures": figures,
    }
    RESULTS.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
