"""Tokens a second of the embedded engine beside llama.cpp, on the same prompts, in one run.

    python benchmarks/generation.py [--quick]

Prompts are HumanEval's, right-stripped, spread over the benchmark; 64 new tokens at most, and
only tokens that were really generated count. Times include reading the prompts. llama.cpp runs
the published Q4_1 file, OpenVINO the same weights as F16.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trueval.generate.llamacpp import LlamaCppBackend
from trueval.generate.openvino import OpenVINOBackend
from trueval.tasks.humaneval import HumanEval
from trueval.types import Completion, Request, SamplingParams, TextPrompt

RESULTS = Path(__file__).parent / "results" / "generation.json"
PROMPTS = {1: 4, 8: 16, 32: 32, 64: 64}
"""Batch -> prompts: enough to fill it, and little where it is slow."""


def requests(count: int, max_tokens: int) -> list[Request]:
    problems = HumanEval().load().problems
    return [
        Request(
            problem_id=problem.problem_id,
            sample_index=0,
            model="benchmark",
            prompt=TextPrompt(text=problem.prefix.rstrip()),
            params=SamplingParams(max_tokens=max_tokens),
        )
        for problem in (problems[i * len(problems) // count] for i in range(count))
    ]


async def measure(backend: Any, batch: int, max_tokens: int) -> dict[str, float]:
    await backend.open()
    try:
        slots = asyncio.Semaphore(batch)

        async def one(request: Request) -> Completion:
            async with slots:
                result = await backend.draw(request)
            assert isinstance(result, Completion), result
            return result

        await one(requests(1, 4)[0])  # what is done once must not count
        started = time.perf_counter()
        done = await asyncio.gather(*map(one, requests(PROMPTS[batch], max_tokens)))
        seconds = time.perf_counter() - started
    finally:
        await backend.close()
    tokens = sum(c.completion_tokens for c in done)
    read = sum(c.prompt_tokens for c in done)
    return {
        "prompts": len(done),
        "prompt_tokens": read,
        "generated_tokens": tokens,
        "seconds": round(seconds, 2),
        "generated_tokens_per_s": round(tokens / seconds, 1),
    }


async def run(max_tokens: int, batches: tuple[int, ...]) -> dict[str, dict[str, dict[str, float]]]:
    cores = os.cpu_count() or 1
    makers: dict[str, Callable[[int], Any]] = {
        "openvino bf16": lambda n: OpenVINOBackend(precision="bf16", concurrency=n),
        "openvino f32": lambda n: OpenVINOBackend(precision="f32", concurrency=n),
        "xllamacpp Q4_1": lambda n: LlamaCppBackend(concurrency=n, context=1024, threads=cores),
    }
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name, make in makers.items():
        for batch in batches:
            if batch == 64 and name.startswith("xllamacpp"):
                continue  # it is no faster than at 32
            row = await measure(make(batch), batch, max_tokens)
            figures.setdefault(name, {})[str(batch)] = row
            print(name, batch, row, file=sys.stderr, flush=True)
    return figures


def table(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    rival = figures["xllamacpp Q4_1"]
    lines = [f"{'generated tokens/s':<18}" + "".join(f"{f'batch {b}':>20}" for b in PROMPTS)]
    for name, rows in figures.items():
        cells = []
        for batch in map(str, PROMPTS):
            speed = rows.get(batch, {}).get("generated_tokens_per_s")
            beside = rival.get(batch, {}).get("generated_tokens_per_s")
            ratio = f" ({speed / beside:.1f}x)" if speed and beside else ""
            cells.append(f"{f'{speed}{ratio}' if speed else '-':>20}")
        lines.append(f"{name:<18}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="tokens/s of the engines on this machine")
    parser.add_argument("--quick", action="store_true", help="batches 1 and 8, 32 tokens")
    quick = parser.parse_args().quick
    figures = asyncio.run(run(32, (1, 8)) if quick else run(64, tuple(PROMPTS)))
    print(table(figures))
    if quick:
        return
    about = {
        "model": "SmolLM2-135M-Instruct",
        "max_tokens": 64,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("openvino-genai", "xllamacpp")},
        "load_at_end": round(os.getloadavg()[0], 1),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**about, "results": figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
