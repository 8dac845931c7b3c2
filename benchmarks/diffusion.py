"""The diffusion engine beside the loop that such models are published with.

    python benchmarks/diffusion.py [--checkpoint FOLDER] [--gaps 64] [--dtype bfloat16]

Two measurements in one run:

- *costs*: at open-dcoder's shape (0.5B parameters, vocabulary 151,936) with random weights, four
  rows of 210 to 300 tokens with 12 masks each: what a step of the published loop costs by part, and
  what a forward of ours does. Costs of a forward do not depend on what the weights are.
- *counts*: how many forwards a gap takes does, so they are counted on a trained checkpoint, on real
  holes of HumanEval-Infill's single-line set with their true lengths, for each sampler and mode,
  with the agreement of the approximate modes; there both loops are run in full and timed as well.

The speed-up at the 0.5B shape is (published: steps x cost of a row's step, for the rule at hand) :
(ours: forwards x cost of a forward + draws); it stands in the results with what it is made of. A
step of a rule other than p2 is taken at half of the masks, as there are on average.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import published_loop
from open_dcoder import OPEN_DCODER, masked_row, padded, random_weights
from trueval.diffusion.agreement import exact_twin
from trueval.diffusion.body import Body, Context
from trueval.diffusion.engine import Engine
from trueval.diffusion.gaps import Filling, Gap
from trueval.diffusion.model import WINDOW_ROWS, Model, load_model
from trueval.diffusion.noise import Noise
from trueval.diffusion.odds import Odds
from trueval.diffusion.packs import WindowPacks
from trueval.diffusion.settings import Settings
from trueval.tasks.infilling import SingleLine

RESULTS = Path(__file__).parent / "results" / "diffusion.json"
STEPS, MASKS, LENGTHS = 64, 12, (210, 240, 270, 300)
SCORED = tuple(published_loop.SCORES)
MODES = {
    "p2": Settings(),
    "p2-self": Settings(sampler="p2-self"),
    "entropy": Settings(sampler="entropy", temperature=0.0),
    "topk_margin": Settings(sampler="topk_margin", temperature=0.0),
    "maskgit_plus": Settings(sampler="maskgit_plus", temperature=0.0),
    "p2 cached": Settings(mode="cached"),
    "entropy cached": Settings(sampler="entropy", temperature=0.0, mode="cached"),
    "p2 parallel": Settings(mode="parallel", threshold=0.9),
    "threshold parallel": Settings(
        sampler="threshold", temperature=0.0, mode="parallel", threshold=0.9
    ),
}


def timed(run: Callable[[], object], times: int) -> float:
    """The median of so many runs, in seconds."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def costs(dtype: torch.dtype, device: str, steps: int, times: int) -> dict[str, Any]:
    """Seconds of a step of the published loop by part, and of one forward of ours, a row."""
    body = Body(OPEN_DCODER, weights := random_weights(OPEN_DCODER, dtype, device))
    count = len(LENGTHS)
    published = {rule: published_step(body, weights.embed, rule, steps) for rule in ("p2", *SCORED)}
    ours = forward_costs(body, [masked_row(length, MASKS) for length in LENGTHS], times)
    forward = sum(ours[name] for name in ("body", "head", "odds", "draw"))
    totals = {rule: loop.total / loop.steps / count for rule, loop in published.items()}
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "device": device,
        "published_s_a_row_step": {
            rule: {
                **{
                    name: round(getattr(loop, name) / loop.steps / count, 4)
                    for name in ("body", "head", "nucleus", "draw", "rest")
                },
                "total": round(totals[rule], 4),
            }
            for rule, loop in published.items()
        },
        "ours_s_a_forward": {name: round(value, 4) for name, value in ours.items()},
        "step_over_forward": round(totals["p2"] / forward, 2),
        "logits_mb": {
            "published": round(published["p2"].peak_logits_mb / count, 1),
            "ours": round(MASKS * OPEN_DCODER.vocab * 4 / 2**20, 1),
        },
    }


def published_step(body: Body, head: Tensor, rule: str, steps: int) -> published_loop.Costs:
    """What a step of the published loop costs for the four rows together."""
    loop = published_loop.Costs()
    given: dict[str, Any] = {
        "mask_id": OPEN_DCODER.vocab - 1,
        "steps": STEPS,
        "costs": loop,
        "run_steps": steps,
    }
    masks = MASKS if rule == "p2" else MASKS // 2
    rows = [masked_row(length, masks) for length in LENGTHS]
    with torch.inference_mode():
        if rule == "p2":
            published_loop.fill(padded(body), head, rows, temperature=0.6, top_p=0.95, **given)
        else:
            published_loop.fill_by_score(padded(body), head, rows, rule=rule, top_p=0.95, **given)
    return loop


def forward_costs(body: Body, rows: Sequence[list[int]], times: int) -> dict[str, float]:
    """Seconds of the parts of one row's forward, the mean over the rows; and of their windows."""
    found: dict[str, list[float]] = {}
    for number, row in enumerate(rows):
        ids = torch.tensor(row, device=body.device)[None]
        at = torch.arange(99, 99 + MASKS, device=body.device)[None]
        hidden = body.hidden(ids, at)
        # Random weights say nothing: logits as sure as a trained model's, 8 of 12 above 0.9.
        logits = body.head(hidden)[0]
        sure = logits.clone()
        sure[:8, 5] = sure.max() + 12
        sure[8:, 5:9] = sure.max() + 9
        uniform = Noise(0, "benchmark", number).uniform(0, MASKS, "draw")
        odds = Odds.of(sure.clone(), temperature=0.6, top_p=0.95)
        parts: dict[str, Callable[[], object]] = {
            "body": lambda ids=ids, at=at: body.hidden(ids, at),  # type: ignore[misc]
            "head": lambda hidden=hidden: body.head(hidden),  # type: ignore[misc]
            "odds": lambda sure=sure: Odds.of(sure, temperature=0.6, top_p=0.95),  # type: ignore[misc]
            "draw": lambda odds=odds, u=uniform: odds.draw(u),  # type: ignore[misc]
        }
        for name, run in parts.items():
            run()
            found.setdefault(name, []).append(timed(run, times))
    means = {name: statistics.mean(seconds) for name, seconds in found.items()}
    return means | {"window_pack": window_cost(body, rows, times)}


def window_cost(body: Body, rows: Sequence[list[int]], times: int, *, masks: int = MASKS) -> float:
    """Seconds of a pack of windows and its logits: gaps and their left neighbours, rows as given.

    The pack has the shape that the engine gives it however many rows there are.
    """
    contexts, places = [], [torch.arange(99, 100 + masks)] * len(rows)
    for row in rows:
        contexts.append(Context(keys=[], values=[]))
        ids = torch.tensor(row, device=body.device)[None]
        body.hidden(ids, places[0][None].to(body.device), context=contexts[-1])
    packs = WindowPacks(body, WINDOW_ROWS)
    tokens = [torch.tensor(row)[at] for row, at in zip(rows, places, strict=True)]
    inner = [torch.arange(masks)] * len(rows)

    def run() -> object:
        return packs.logits(tokens, inner, places, contexts)

    run()
    return timed(run, times)


# --------------------------------------------------------------------------- on a checkpoint


def real_gaps(model: Model, count: int) -> list[Gap]:
    """Holes of the single-line set, evenly spaced, with their true lengths."""
    task = SingleLine().load()
    problems = [task.problems[i * len(task.problems) // count] for i in range(count)]
    return [
        Gap(
            prefix=tuple(model.encode(problem.prefix)),
            suffix=tuple(model.encode(problem.suffix)),
            length=len(model.encode(task.references[problem.problem_id].canonical_solution)),
            problem_id=problem.problem_id,
        )
        for problem in problems
    ]


def truths(count: int) -> list[str]:
    """The text that belongs into each of `real_gaps`."""
    task = SingleLine().load()
    chosen = [task.problems[i * len(task.problems) // count] for i in range(count)]
    return [task.references[problem.problem_id].canonical_solution for problem in chosen]


def counts(model: Model, gaps: Sequence[Gap]) -> dict[str, dict[str, Any]]:
    """By sampler and mode: forwards and time a gap, texts put back exactly, rows as exact."""
    middles = [text.strip() for text in truths(len(gaps))]
    found: dict[str, dict[str, Any]] = {}
    fillings: dict[Settings, list[Filling]] = {}
    for name, settings in MODES.items():
        started = time.perf_counter()
        packs = _count_packs(model)
        done = Engine(model).fill(replace(gap, settings=settings) for gap in gaps)
        seconds = time.perf_counter() - started
        fillings[settings] = done
        found[name] = {
            "forwards_a_gap": round(statistics.mean(f.forwards for f in done), 2),
            "window_forwards_a_gap": round(statistics.mean(f.window_forwards for f in done), 2),
            "window_packs_a_gap": round(next(packs) / len(gaps), 2),
            "memo_hits_a_gap": round(statistics.mean(f.memo_hits for f in done), 2),
            "steps_that_could_change": round(statistics.mean(f.steps_run for f in done), 2),
            "seconds_a_gap": round(seconds / len(gaps), 4),
            "exact_text": sum(
                model.decode(f.tokens).strip() == middle
                for f, middle in zip(done, middles, strict=True)
            ),
        }
        if settings.mode != "exact":
            twin = exact_twin(settings)
            if twin not in fillings:
                fillings[twin] = Engine(model).fill(replace(gap, settings=twin) for gap in gaps)
            same = sum(a.tokens == b.tokens for a, b in zip(done, fillings[twin], strict=True))
            found[name]["rows_as_exact"] = f"{same}/{len(gaps)}"
    return found


def _count_packs(model: Model) -> Iterator[int]:
    """Counts the packs of windows that are run from now on, and gives their number when asked."""
    body, count = model._body, itertools.count()
    run = type(body).windows

    def counted(*args: Any) -> Tensor:
        next(count)
        return run(body, *args)

    vars(body)["windows"] = counted
    return count


def published_seconds(model: Model, gaps: Sequence[Gap], rule: str, batch: int = 4) -> float:
    """Seconds a gap of the published loop on the checkpoint itself, all steps, rows by length."""
    body, loop = model._body, published_loop.Costs()
    head = body._embed  # tied
    rows = sorted(
        ([*gap.prefix, *[model.adapter.mask_id] * gap.length, *gap.suffix] for gap in gaps), key=len
    )
    given: dict[str, Any] = {
        "mask_id": model.adapter.mask_id,
        "steps": STEPS,
        "costs": loop,
        "top_p": 0.95,
    }
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            if rule == "p2":
                published_loop.fill(padded(body), head, part, temperature=0.6, **given)
            else:
                published_loop.fill_by_score(padded(body), head, part, rule=rule, **given)
    return loop.total / len(gaps)


def speed_ups(cost: dict[str, Any], count: dict[str, dict[str, Any]]) -> dict[str, float]:
    """How many times faster than the published loop a gap is filled at the 0.5B shape.

    What has no published loop of its own (p2-self, threshold) is compared with p2's.
    """
    steps = cost["published_s_a_row_step"]
    ours = cost["ours_s_a_forward"]
    found = {}
    for name, seen in count.items():
        published = STEPS * steps.get(name.split()[0], steps["p2"])["total"]
        full = seen["forwards_a_gap"] * (ours["body"] + ours["head"] + ours["odds"])
        part = seen["window_packs_a_gap"] * ours["window_pack"]
        part += seen["window_forwards_a_gap"] * ours["odds"]
        draws = seen["steps_that_could_change"] * ours["draw"]
        found[name] = round(published / (full + part + draws), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", help="a trained masked-diffusion checkpoint's folder")
    parser.add_argument("--gaps", type=int, default=64)
    parser.add_argument("--dtype", action="append", choices=("bfloat16", "float32"))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--published-steps", type=int, default=1)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result: dict[str, Any] = {
        "workload": {"steps": STEPS, "masks": MASKS, "lengths": LENGTHS},
        "threads": options.threads,
        "torch": torch.__version__,
        "load_1min": round(os.getloadavg()[0], 1),
        "costs": [
            costs(getattr(torch, name), options.device, options.published_steps, options.times)
            for name in options.dtype or ("bfloat16", "float32")
        ],
    }
    if options.checkpoint:
        model = load_model(options.checkpoint, dtype="float32", device=options.device)
        gaps = real_gaps(model, options.gaps)
        seen = counts(model, gaps)
        result["checkpoint"] = {
            "facts": {k: v for k, v in model.facts.items() if k != "device"},
            "gaps": len(gaps),
            "mean_length": round(statistics.mean(gap.length for gap in gaps), 1),
            "published_s_a_gap": {
                rule: round(published_seconds(model, gaps[:16], rule), 3)
                for rule in ("p2", *SCORED)
            },
            "counts": seen,
        }
        for cost in result["costs"]:
            cost["speed_up"] = speed_ups(cost, seen)
    print(json.dumps(result, indent=2))
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
