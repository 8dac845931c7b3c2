"""Graders made from settings: by name, with what settings and graders take for granted."""

from __future__ import annotations

import inspect

import pytest

from trueval.config import GradingConfig
from trueval.errors import ConfigError
from trueval.experiment.graders import DEFAULT, grader_of
from trueval.grade.functional import FunctionalGrader


def test_settings_and_grader_take_the_same_for_granted() -> None:
    settings = GradingConfig().model_dump()
    assert settings.pop("grader") == DEFAULT
    known = inspect.signature(FunctionalGrader).parameters
    assert settings == {name: known[name].default for name in settings}


def test_a_part_of_the_settings_makes_the_same_grader() -> None:
    for grading in ({}, GradingConfig().model_dump()):
        assert isinstance(grader_of(grading, background=False), FunctionalGrader)


@pytest.mark.parametrize(
    ("grading", "said"),
    [
        ({"grader": "functoinal"}, "unknown grader 'functoinal'"),
        ({"timeout": 3}, "grader 'functional' takes no option 'timeout'"),
        ({"timeout_s": 0}, "grader 'functional': timeout_s has to be more than 0"),
    ],
)
def test_what_makes_no_grader_is_the_users_mistake(grading: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        grader_of(grading, background=False)
