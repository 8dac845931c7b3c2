"""A run as reports get it, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from trueval.report.summary import EstimateFacts, Line, OutcomeFacts, Summary

PROBLEMS = 164


def estimate(**changes: Any) -> EstimateFacts:
    facts: dict[str, Any] = {
        "metric": "pass@1",
        "value": 9 / 164,
        "low": 0.02913,
        "high": 0.10105,
        "level": 0.95,
        "method": "wilson",
        "problems": PROBLEMS,
        "samples_per_problem": 1,
    }
    return EstimateFacts(**{**facts, **changes})  # type: ignore[typeddict-item]


def outcomes(**changes: int) -> OutcomeFacts:
    facts = {
        "passed": 9,
        "wrong": 112,
        "error": 38,
        "timeout": 3,
        "out_of_memory": 0,
        "crashed": 0,
        "no_code": 2,
        "infra": 0,
        "missing": 0,
        "rescued": 0,
        "problems": PROBLEMS,
        "samples_per_problem": 1,
    }
    return OutcomeFacts(**{**facts, **changes})  # type: ignore[typeddict-item]


def line(**changes: Any) -> Line:
    facts: dict[str, Any] = {"estimates": [estimate()], "outcomes": outcomes(), "edits": {}}
    return Line(**{**facts, **changes})  # type: ignore[typeddict-item]


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "name": "first",
        "config": {},
        "config_digest": "c0ffee" * 10,
        "data": {"task": "humaneval", "digest": "ef7c1d5bd61e" * 5, "problems": PROBLEMS},
        "model": {
            "id": "SmolLM2-135M-Instruct",
            "revision": "12fd25f77366fa6b3b4b768ec3050bf629380bac",
            "engine": "openvino",
            "precision": "bf16",
            "mode": "completion",
        },
        "versions": {},
        "machine": {},
        "controls": {},
        "assists": [],
        "trusted": True,
        "command": "trueval run --task humaneval --model smollm2-135m-instruct",
        "started": "2026-01-02T03:04:05Z",
        "finished": "",
        **changes,
    }


def summary(**changes: Any) -> Summary:
    facts: dict[str, Any] = {
        "name": "first",
        "run_dir": "runs/first",
        "manifest": manifest(),
        "raw": line(edits={"stop_cut": 31}),
        "repaired": None,
        "tokens": {"prompt": 21_904, "completion": 17_560},
        "time": {"generation_s": 27.43, "wall_s": 31.02, "tokens_per_s": 640.2},
        "controls": {
            "passed": True,
            "canonical": 820,
            "canonical_passed": 820,
            "cheats": 1148,
            "cheats_passed": 0,
            "cached": True,
            "reasons": [],
        },
        "notes": [],
    }
    return Summary(**{**facts, **changes})  # type: ignore[typeddict-item]


def repaired() -> Line:
    better = estimate(value=11 / 164, low=0.0379, high=0.1161)
    return line(
        estimates=[better],
        outcomes=outcomes(passed=11, wrong=110),
        edits={"add_imports": 3, "dedent": 1},
    )


def sample(problem: str = "HumanEval/0", verdict: str = "wrong", **changes: Any) -> dict[str, Any]:
    return {
        "request": {
            "problem_id": problem,
            "sample_index": 0,
            "prompt": {"text": "def add(a, b):\n    # adds"},
            "params": {},
        },
        "completion": {
            "text": "    return a - b\n",
            "finish_reason": "stop",
            "completion_tokens": 6,
            "duration_s": 0.4,
        },
        "program": {"source": "def add(a, b):\n    return a - b\n", "edits": ["stop_cut"]},
        "grade": {"verdict": verdict, "detail": "AssertionError", "duration_s": 0.1},
        "repaired": None,
        "repaired_grade": None,
        **changes,
    }
