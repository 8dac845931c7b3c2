from __future__ import annotations

from typing import Any

import pytest

from trueval.config import validate
from trueval.errors import ConfigError
from trueval.experiment.plan import Plan, make_plan
from trueval.tasks.demo import Demo


def plan(by_nature: str, **settings: Any) -> Plan:
    """What a model of that mode would be asked."""
    model = {"id": "m", "revision": "1", "mode": by_nature}
    return make_plan(validate({"task": "demo", **settings}, where="test"), Demo().load(), model)


def test_a_chat_model_goes_on_from_text_when_the_prompt_is_text() -> None:
    found = plan("chat", prompt="minimal")
    assert (found.mode, found.prompt.name) == ("completion", "minimal")


def test_without_a_prompt_the_model_decides() -> None:
    assert plan("chat").mode == "chat"
    assert plan("completion").mode == "completion"


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("completion", {"prompt": "chat-body"}),
        ("chat", {"prompt": "minimal", "mode": "chat"}),
        ("chat", {"prompt": "chat-body", "mode": "completion"}),
    ],
)
def test_a_prompt_that_cannot_be_asked_so_is_refused(model: str, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="is for"):
        plan(model, **settings)


def test_a_model_that_denoises_gets_the_samples_of_a_problem_together() -> None:
    first, second = (one.problem_id for one in Demo().load().problems[:2])

    def order(**given: Any) -> list[tuple[str, int]]:
        drawn = plan("completion", samples=2, sampling={"temperature": 0.5}, **given).requests()
        return [(r.problem_id, r.sample_index) for r in drawn if r.problem_id in (first, second)]

    assert order() == [(first, 0), (second, 0), (first, 1), (second, 1)]
    together = order(backend="diffusion", model="m")
    assert together == [(first, 0), (first, 1), (second, 0), (second, 1)]
