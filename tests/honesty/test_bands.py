from __future__ import annotations

import pytest

from trueval import registry
from trueval.honesty.bands import band_note, bands, find_band
from trueval.types import Estimate

QWEN = "Qwen/Qwen2.5-Coder-0.5B-Instruct"


def estimate(low: float, high: float, metric: str = "pass@1") -> Estimate:
    return Estimate(
        metric=metric,
        value=(low + high) / 2,
        low=low,
        high=high,
        level=0.95,
        method="wilson",
        problems=164,
        samples_per_problem=1,
    )


def test_every_published_score_has_a_source_and_a_task_that_is_here() -> None:
    assert len(bands()) >= 20
    for band in bands():
        assert band.url.startswith("https://")
        assert band.source
        assert 0 <= band.low < band.value < band.high <= 1
        assert band.mode in ("chat", "completion")
        registry.resolve("tasks", band.task)
    assert len({(band.model, band.task, band.mode) for band in bands()}) == len(bands())


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (QWEN, True),
        ("models/qwen2.5-coder-0.5b-instruct.Q4_K_M.gguf", True),
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", True),
        ("Qwen/Qwen2.5-Coder-0.5B", False),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", False),
    ],
)
def test_a_model_is_known_by_its_name(model: str, found: bool) -> None:
    assert (find_band(model=model, task="humaneval", mode="chat") is not None) == found


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.03, 0.11, "far below"), (0.9, 0.97, "far above"), (0.5, 0.65, None), (0.1, 0.55, None)],
)
def test_a_score_far_outside_says_so_either_way(low: float, high: float, said: str | None) -> None:
    note = band_note(estimate(low, high), model=QWEN, task="humaneval", mode="chat")
    assert (note is None) if said is None else (said in str(note) and "61.6%" in str(note))


@pytest.mark.parametrize(
    ("metric", "mode", "task"),
    [("pass@10", "chat", "humaneval"), ("pass@1", "completion", "humaneval"),
     ("pass@1", "chat", "mbpp")],
)  # fmt: skip
def test_what_was_not_published_is_held_against_nothing(metric: str, mode: str, task: str) -> None:
    assert band_note(estimate(0, 0.01, metric), model=QWEN, task=task, mode=mode) is None
