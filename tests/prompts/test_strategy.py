from __future__ import annotations

import pytest

from trueval.errors import ConfigError
from trueval.prompts.strategy import DEFAULTS, LibraryPrompt, _read, library, load_prompt
from trueval.types import ChatPrompt, Problem, TextPrompt

PROBLEM = Problem(problem_id="x/0", prefix='def f(x):\n    """{{suffix}} {x}"""\n', entry_point="f")


def test_the_default_of_each_mode_fits_it() -> None:
    assert {mode: load_prompt(name).mode for mode, name in DEFAULTS.items()} == {
        "completion": "completion",
        "chat": "chat",
    }


def test_a_base_model_sees_the_problem_without_the_newline_at_its_end() -> None:
    assert load_prompt(DEFAULTS["completion"])(PROBLEM) == TextPrompt(text=PROBLEM.prefix.rstrip())


def test_minimal_is_the_problem_as_published() -> None:
    assert load_prompt("minimal")(PROBLEM) == TextPrompt(text=PROBLEM.prefix)


def test_a_chat_model_is_shown_the_problem_in_a_block() -> None:
    prompt = load_prompt(DEFAULTS["chat"])(PROBLEM)
    assert isinstance(prompt, ChatPrompt)
    [(role, content)] = prompt.messages
    assert role == "user"
    assert f"```python\n{PROBLEM.prefix.rstrip()}\n```" in content


def test_braces_in_a_problem_are_not_placeholders() -> None:
    prompt = LibraryPrompt(name="p", summary="", mode="completion", template="{{prefix}}")
    assert prompt(PROBLEM) == TextPrompt(text=PROBLEM.prefix)


def test_an_unknown_placeholder_is_named() -> None:
    prompt = LibraryPrompt(name="p", summary="", mode="completion", template="{{prefx}}")
    with pytest.raises(ConfigError, match="prefx") as error:
        prompt(PROBLEM)
    assert "did you mean 'prefix'?" in error.value.hint


def test_an_unknown_prompt_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError) as error:
        load_prompt("minimal_v55")
    assert "did you mean 'minimal_v5'?" in error.value.hint


@pytest.mark.parametrize(
    "content",
    [
        {"name": "p", "summary": "", "mode": "chat", "template": "{{prefix}}"},
        {"name": "p", "summary": "", "mode": "completion"},
        {"name": "p", "summary": "", "mode": "completion", "template": "x", "extra": 1},
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_name(content: object) -> None:
    with pytest.raises(ConfigError, match=r"p\.yml"):
        _read("p.yml", content)


@pytest.mark.parametrize("name", sorted(library()))
def test_every_prompt_renders_and_shows_the_problem(name: str) -> None:
    shown = str(load_prompt(name)(PROBLEM))
    assert "def f(x)" in shown
