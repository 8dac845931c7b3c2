"""How the cost of filling a gap grows with its context, its length, the rows and the steps.

    python benchmarks/diffusion_scaling.py [--checkpoint FOLDER]

At open-dcoder's shape with random weights: a row's step of the published loop and a forward of ours
(body, head and odds; for rows, packs of windows too), each in one run. On a trained checkpoint:
forwards a gap by number of steps, which is what steps cost here. The figures go to
results/diffusion_scaling.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import published_loop
from diffusion import STEPS, real_gaps, timed, window_cost
from open_dcoder import OPEN_DCODER, masked_row, padded, random_weights
from trueval.diffusion.body import Body
from trueval.diffusion.engine import Engine
from trueval.diffusion.model import load_model
from trueval.diffusion.odds import Odds
from trueval.diffusion.settings import Settings

RESULTS = Path(__file__).parent / "results" / "diffusion_scaling.json"
MASK = OPEN_DCODER.vocab - 1


def step_seconds(body: Body, head: torch.Tensor, rows: Sequence[list[int]]) -> float:
    """Seconds of one step of the published loop over all rows together."""
    loop = published_loop.Costs()
    published_loop.fill(
        padded(body),
        head,
        list(rows),
        mask_id=MASK,
        steps=STEPS,
        temperature=0.6,
        top_p=0.95,
        costs=loop,
        run_steps=1,
    )
    return loop.total / loop.steps


def forward(body: Body, row: list[int], masks: int, times: int) -> float:
    """Seconds of one forward of ours with what its logits are made into."""
    ids, at = torch.tensor(row)[None], torch.arange(99, 99 + masks)[None]

    def run() -> object:
        logits = body.head(body.hidden(ids, at))[0]
        logits[:, 5] = logits.max() + 12  # sure, as a trained model is of most tokens
        return Odds.of(logits, temperature=0.6, top_p=0.95)

    run()
    return timed(run, times)


def pair(published: float, ours: float) -> dict[str, float]:
    """Seconds of both, and the first over the second."""
    return {
        "published_s": round(published, 3),
        "ours_s": round(ours, 3),
        "ratio": round(published / ours, 1),
    }


def costs(dtype: torch.dtype, times: int) -> dict[str, Any]:
    """A step beside a forward, by tokens of the row, masks of the gap, and rows."""
    weights = random_weights(OPEN_DCODER, dtype)
    body = Body(OPEN_DCODER, weights)
    found: dict[str, Any] = {"dtype": str(dtype).removeprefix("torch.")}
    with torch.inference_mode():
        found["row_tokens"] = {
            n: pair(
                step_seconds(body, weights.embed, [masked_row(n, 12)]),
                forward(body, masked_row(n, 12), 12, times),
            )
            for n in (128, 256, 512, 1024)
        }
        found["gap_masks"] = {
            n: pair(
                step_seconds(body, weights.embed, [masked_row(256, n)]),
                forward(body, masked_row(256, n), n, times),
            )
            for n in (4, 16, 64)
        }
        one = forward(body, masked_row(256, 12), 12, times)
        found["rows"] = {
            n: pair(step_seconds(body, weights.embed, [masked_row(256, 12)] * n), n * one)
            | {"ours_window_s": round(windows(body, n, times), 3)}
            for n in (1, 4, 8)
        }
    return found


def windows(body: Body, rows: int, times: int) -> float:
    """Seconds of a window's forward for each of so many rows."""
    return window_cost(body, [masked_row(256, 12)] * rows, times)


def forwards_by_steps(folder: str, gaps: int) -> dict[str, dict[int, float]]:
    """Forwards a gap on real holes; the published loop runs one for each step."""
    model = load_model(folder, dtype="float32")
    holes = real_gaps(model, gaps)
    found: dict[str, dict[int, float]] = {}
    for sampler, temperature in (("p2", 0.6), ("entropy", 0.0)):
        for steps in (8, 16, 32, 64, 128):
            settings = Settings(sampler=sampler, temperature=temperature, steps=steps)
            done = Engine(model).fill(replace(gap, settings=settings) for gap in holes)
            mean = round(statistics.mean(f.forwards for f in done), 2)
            found.setdefault(sampler, {})[steps] = mean
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", help="a trained masked-diffusion checkpoint's folder")
    parser.add_argument("--gaps", type=int, default=48)
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result: dict[str, Any] = {
        "threads": options.threads,
        "torch": torch.__version__,
        "load_1min": round(os.getloadavg()[0], 1),
        "costs": costs(getattr(torch, options.dtype), options.times),
    }
    if options.checkpoint:
        result["forwards_a_gap_by_steps"] = forwards_by_steps(options.checkpoint, options.gaps)
    print(json.dumps(result, indent=2))
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
