from __future__ import annotations

from typing import Any, get_args

import pytest

from trueval.score.failures import FailureTally
from trueval.score.intervals import wilson
from trueval.score.taxonomy import _CAUSES, _EXCEPTIONS, CLASSES, categories, failure_class
from trueval.types import (
    Cause,
    ChatPrompt,
    Completion,
    Failure,
    Grade,
    Problem,
    Program,
    Prompt,
    Request,
    Sample,
    SamplingParams,
    TextPrompt,
)

BODY = "def f(x):\n    return x + 1\n"


def sample(
    problem_id: str = "p",
    *,
    index: int = 0,
    text: str = BODY,
    source: str = BODY,
    chat: bool = False,
    cut: bool = False,
    middle: str | None = None,
    **grade: Any,
) -> Sample:
    prompt: Prompt = ChatPrompt(messages=(("user", "hi"),)) if chat else TextPrompt(text="hi")
    return Sample(
        request=Request(
            problem_id=problem_id,
            sample_index=index,
            model="m",
            prompt=prompt,
            params=SamplingParams(),
        ),
        completion=Completion(text=text, finish_reason="length" if cut else "stop"),
        program=Program(source=source, middle=middle),
        grade=Grade(**{"verdict": "wrong", "cause": "wrong", **grade}),
    )


def raised(detail: str, **more: Any) -> Sample:
    return sample(verdict="error", cause="raised", detail=detail, **more)


CASES: list[tuple[str | None, Sample]] = [
    (None, sample(verdict="passed", cause="")),
    ("wrong answer", sample()),
    ("wrong answer", sample(cut=True)),
    ("syntax: indentation", raised("IndentationError: unexpected indent (<program>, line 4)")),
    ("syntax: bracket", raised("SyntaxError: '(' was never closed (<program>, line 4)")),
    ("syntax: bracket", raised("SyntaxError: unmatched ')' (<program>, line 4)")),
    ("syntax: string", raised("SyntaxError: unterminated string literal (detected at line 5)")),
    ("syntax: character", raised("SyntaxError: invalid character '–' (U+2013)")),
    ("syntax: outside", raised("SyntaxError: 'return' outside function (<program>, line 1)")),
    ("syntax: other", raised("SyntaxError: invalid syntax (<program>, line 9)")),
    ("truncated", raised("SyntaxError: '[' was never closed", cut=True)),
    ("name", raised("NameError: name 'List' is not defined")),
    ("name", raised("UnboundLocalError: cannot access local variable 'i'")),
    ("import", raised("ModuleNotFoundError: No module named 'sympy'")),
    ("type", raised("TypeError: unsupported operand type(s)")),
    ("attribute", raised("AttributeError: 'str' object has no attribute 'push'")),
    ("index or key", raised("KeyError: 'a'")),
    ("value", raised("ValueError: max() arg is an empty sequence")),
    ("arithmetic", raised("ZeroDivisionError: division by zero")),
    ("recursion", raised("RecursionError: maximum recursion depth exceeded")),
    ("other exception", raised("StopIteration")),
    ("unclear", raised("")),
    ("answer unusable", sample(verdict="error", cause="raised-in-test", detail="TypeError: x")),
    ("unsupported value", sample(verdict="error", cause="unsupported-value")),
    ("timeout", sample(verdict="timeout", cause="timeout-cpu")),
    ("out of memory", sample(verdict="out_of_memory", cause="out-of-memory")),
    ("exit", sample(verdict="crashed", cause="exited")),
    ("crash", sample(verdict="crashed", cause="signal")),
    ("crash", sample(verdict="crashed", cause="")),
    ("stub", sample(source='def f(x):\n    """Adds."""\n    pass\n')),
    ("stub", sample(source="def f(x):\n    ...\n", verdict="error", cause="raised-in-test")),
    ("stub", raised("NotImplementedError")),
    ("stub", sample(source="", middle="    pass\n")),
    ("empty", sample(source=BODY, middle=" \n")),
    ("empty", sample(text=" \n", source="", verdict="no_code", cause="no-code")),
    ("truncated", sample(text="So", source="", verdict="no_code", cause="no-code", cut=True)),
    ("refusal", sample(text="Sorry.", source="", verdict="no_code", cause="no-code", chat=True)),
    ("no code", sample(text="Sorry.", source="", verdict="no_code", cause="no-code")),
]


@pytest.mark.parametrize(("name", "drawn"), CASES)
def test_each_failure_has_its_class(name: str | None, drawn: Sample) -> None:
    assert failure_class(drawn) == name


def test_every_class_is_shown_here_and_explained() -> None:
    assert set(CLASSES) == {name for name, _ in CASES if name}
    assert {*_CAUSES.values(), *_EXCEPTIONS.values()} <= set(CLASSES)


@pytest.mark.parametrize("group", get_args(Cause))
def test_every_cause_that_a_grader_gives_has_a_class(group: Any) -> None:
    for cause in get_args(group) or (group,):
        for verdict in ("error", "crashed", "timeout", "out_of_memory"):
            found = failure_class(sample(verdict=verdict, cause=cause, detail="KeyError: 1"))
            assert found in CLASSES


def test_a_helper_that_does_nothing_is_no_stub_of_the_function_asked_for() -> None:
    source = f"{BODY}\ndef helper():\n    pass\n"
    assert failure_class(sample(source=source), entry_point="f") == "wrong answer"
    assert failure_class(sample(source=source), entry_point="helper") == "stub"


@pytest.mark.parametrize("source", ["def f(:", "x = '\\d'", "(" * 500, "", "f = 1", "a\0b"])
def test_no_program_is_too_odd_to_look_at(source: str) -> None:
    assert failure_class(sample(source=source)) == "wrong answer"


TEXTS = [
    ("def f(s: str) -> str:\n    '''Reverse the words.'''", {"strings"}),
    ("def f(xs: list) -> list:\n    '''Sort the elements.'''", {"lists", "sorting"}),
    ("def f(n: int) -> bool:\n    '''Is n prime?'''", {"numbers", "number theory"}),
    ("def f(a):\n    '''Do it.'''", {"other"}),
    ("def area(r: float):\n    '''Area of a circle.'''", {"numbers", "geometry"}),
]


@pytest.mark.parametrize(("text", "kinds"), TEXTS)
def test_a_problem_is_of_the_kinds_that_its_text_names(text: str, kinds: set[str]) -> None:
    found = categories(Problem(problem_id="p", prefix=text, entry_point="f"))
    assert set(found) == kinds


def test_a_tally_adds_up_and_carries_intervals() -> None:
    tally = FailureTally()
    drawn = [sample(f"p{i}", verdict="passed" if i < 4 else "wrong") for i in range(10)]
    infra = Sample(request=drawn[0].request, completion=Failure(stage="generate", message="503"))
    assert [*tally.watching([*drawn, infra])] == [*drawn, infra]
    assert (tally.graded, tally.failed) == (10, 6)
    [share] = tally.classes()
    assert (share.name, share.count, share.of) == ("wrong answer", 6, 10)
    assert (share.low, share.high) == wilson(6, 10)
    assert [one.request.problem_id for one in tally.examples["wrong answer"]] == ["p4", "p5"]


def test_several_samples_of_a_problem_are_one_draw_of_it() -> None:
    tally = FailureTally()
    for problem in range(40):
        for index in range(5):
            verdict = "wrong" if problem % 2 else "passed"
            tally.add(sample(f"p{problem}", index=index, verdict=verdict))
    [share] = tally.classes()
    assert share.count == 100
    assert share.method == "bootstrap"
    low, high = wilson(100, 200)
    assert share.high - share.low > 1.5 * (high - low)


def test_kinds_of_problem_count_what_passed() -> None:
    problem = Problem(problem_id="p", prefix="def f(s: str):", entry_point="f")
    tally = FailureTally(problems={"p": problem})
    tally.add(sample("p", verdict="passed"))
    [share] = tally.by_category()
    assert (share.name, share.count, share.of) == ("strings", 1, 1)
