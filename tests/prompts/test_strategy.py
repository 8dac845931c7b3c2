from __future__ import annotations

from pathlib import Path
from typing import Any

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
    prompt = LibraryPrompt(name="p", summary="", mode="completion", code="{{prefix}}")
    assert prompt(PROBLEM) == TextPrompt(text=PROBLEM.prefix)


def test_an_unknown_placeholder_is_refused_when_the_file_is_read() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown placeholder \{\{prefx\}\}.*did you mean 'prefix'"
    ):
        _read("p.yml", {"name": "p", "summary": "", "mode": "completion", "code": "{{prefx}}"})


def test_an_unknown_prompt_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError) as error:
        load_prompt("minimal_v55")
    assert "did you mean 'minimal_v5'?" in error.value.hint


BASE = {"name": "p", "summary": "", "mode": "completion", "code": "{{prefix}}"}
RULE = {"keywords": ["list"], "code": "# list\n{{prefix}}"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({**BASE, "mode": "chat"}, "a chat prompt has `messages`"),
        ({**BASE, "code": None}, "a completion prompt has `code`"),
        ({**BASE, "extra": 1}, "extra"),
        ({**BASE, "provenance": "leaky"}, "derived_from"),
        ({**BASE, "route": [{"code": "{{prefix}}"}]}, "`keywords` or a `regex`"),
        ({**BASE, "route": [{**RULE, "use": "minimal"}]}, "either `use: NAME` or a text"),
        ({**BASE, "route": [{**RULE, "regex": "("}]}, "regex '\\('"),
        ({**BASE, "otherwise": "minimal"}, "no text of its own"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_name(content: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"p\.yml.*{complaint}"):
        _read("p.yml", content)


NAMES = (
    "minimal minimal_v2 minimal_v3 minimal_v4 minimal_v5 infilling instructional fewshot "
    "fewshot_v1 fewshot_v2 fewshot_v2_devise cot expert signature-only doctest-first "
    "plan-then-code chat-body chat-function chat-cot"
).split()
LEAKY = (
    "minimal_v0 minimal_v6 minimal_v7 datadriven helper optimized_v1 optimized_v2 optimized_v3 "
    "opt1 expert_v00 expert_v0 expert_v1 expert_v2 example_v0"
).split()


def test_every_name_is_on_the_shelf_where_it_belongs() -> None:
    shelves = {name: prompt.provenance for name, prompt in library().items()}
    assert shelves == dict.fromkeys(NAMES, "clean") | dict.fromkeys(LEAKY, "leaky")


@pytest.mark.parametrize("name", sorted(library()))
def test_every_prompt_renders_and_shows_the_problem(name: str) -> None:
    shown = str(load_prompt(name)(PROBLEM))
    assert "def f(x)" in shown


@pytest.mark.parametrize("name", sorted(library()))
def test_a_completion_prompt_ends_in_the_code_that_is_continued(name: str) -> None:
    prompt = load_prompt(name)
    seen = prompt(PROBLEM)
    if isinstance(seen, TextPrompt):
        assert seen.text.endswith(prompt.continued(PROBLEM))
    else:
        assert prompt.continued(PROBLEM) == PROBLEM.prefix


def about(text: str) -> Problem:
    return Problem(problem_id="x/1", prefix=f'def f(x):\n    """{text}"""\n', entry_point="f")


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("expert_v00", "Reverse the String.", "text processing"),
        ("expert_v00", "Reverse stringency.", "senior Python engineer"),
        ("expert_v0", "Add two.", None),
        ("expert_v1", "Sum of a list.", "expert in lists"),
        ("expert_v2", "Sorted list.", "expert in sorting"),
        ("opt1", "Next prime.", "mind 0, 1, 2"),
        ("example_v0", "Count words.", "badge_text"),
        ("example_v0", "Count up.", "water_after"),
        ("doctest-first", ">>> f(1)\n    1", "# >>> f(1)"),
        ("doctest-first", "No example.", None),
    ],
)
def test_a_route_goes_by_what_the_problem_says(name: str, text: str, shown: str | None) -> None:
    seen = load_prompt(name)(about(text))
    assert isinstance(seen, TextPrompt)
    if shown is None:
        assert seen.text.rstrip() == about(text).prefix.rstrip()
    else:
        assert shown in seen.text


USES = (
    "name: mine\nsummary: s\nmode: {mode}\nroute:\n- regex: list\n  use: {use}\notherwise: {use}\n"
)


@pytest.mark.parametrize(
    ("mode", "use", "complaint"),
    [
        ("completion", "minimall", "uses an unknown prompt 'minimall'"),
        ("completion", "chat-body", "cannot use 'chat-body'"),
        ("completion", "opt1", "cannot use 'opt1'"),
        ("completion", "minimal_v6", "uses the leaky 'minimal_v6'"),
    ],
)
def test_a_prompt_cannot_use_what_does_not_fit_it(
    tmp_path: Path, mode: str, use: str, complaint: str
) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(USES.format(mode=mode, use=use))
    with pytest.raises(ConfigError, match=complaint):
        load_prompt(str(file))


def test_a_file_of_ones_own_is_a_prompt(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(USES.format(mode="completion", use="minimal"))
    prompt = load_prompt(str(file))
    assert prompt(PROBLEM) == TextPrompt(text=PROBLEM.prefix)
    # What it uses is part of it, so a digest of it tells when that changes.
    assert prompt.code == "{{prefix}}"


def test_a_file_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the prompt"):
        load_prompt(str(tmp_path / "none.yml"))
