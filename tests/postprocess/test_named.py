"""Pipelines by name, and those of steps that a config lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueval import registry
from trueval.config import validate
from trueval.errors import ConfigError
from trueval.experiment.plan import make_plan
from trueval.postprocess.named import DEFAULT, load_step, pipeline_of
from trueval.protocols import PostProcessor
from trueval.tasks.demo import Demo
from trueval.types import Problem

PROBLEM = Problem(problem_id="x/0", prefix="def f(x):\n", entry_point="f")


class Shout:
    """A step of one's own."""

    name = "shout"
    effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        return text.upper()


class NoEffect:
    name = "x"
    effect = "sideways"

    def __call__(self, text: str, problem: Problem) -> str:
        return text


class NeedsMore(Shout):
    def __init__(self, volume: int) -> None:
        self.volume = volume


@pytest.mark.parametrize("name", sorted(registry.BUILT_IN["steps"]))
def test_every_step_that_ships_goes_by_its_own_name(name: str) -> None:
    step = load_step(name)
    assert isinstance(step, PostProcessor)
    assert step.name == name


def test_a_name_is_a_pipeline_and_a_list_makes_one() -> None:
    assert pipeline_of("default") is DEFAULT
    listed = pipeline_of(["unfence", f"{__name__}:Shout"])
    assert [step.name for step in listed.steps] == ["unfence", "shout"]
    assert listed.repairs
    same = pipeline_of(f"unfence, {__name__}:Shout")
    assert same.name == listed.name == f"unfence+{__name__}:Shout"


@pytest.mark.parametrize(
    ("post", "message", "hint"),
    [
        ("defualt", "unknown pipeline 'defualt'", "did you mean 'default'?"),
        (["unfense"], "unknown step 'unfense'", "did you mean 'unfence'?"),
        (["nosuch.module:Step"], "cannot load the step 'nosuch.module:Step'", "PYTHONPATH"),
        ([f"{__name__}:Nothing"], "cannot load the step", "PYTHONPATH"),
        ([f"{__name__}:PROBLEM"], "is no post-processing step", "`effect`"),
        ([f"{__name__}:NoEffect"], "is no post-processing step", "extract, trim or repair"),
        ([f"{__name__}:NeedsMore"], "cannot make the step", "give an instance"),
        ([], "no step", "none"),
    ],
)
def test_a_name_that_nothing_has_is_one_clear_message(
    post: str | list[str], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as error:
        pipeline_of(post)
    assert message in error.value.message
    assert hint in error.value.hint


def test_a_config_lists_steps(tmp_path: Path) -> None:
    config = validate({"task": "demo", "post": ["unfence", "align_body"]}, where="test")
    model = {"id": "m", "revision": "1", "mode": "completion"}
    plan = make_plan(config, Demo().load(), model)
    assert plan.identity()["post_steps"] == ["unfence", "align_body"]
    assert plan.identity()["post"].startswith("unfence+align_body")
