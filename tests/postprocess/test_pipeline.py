from __future__ import annotations

import textwrap

import pytest

from trueval.honesty.shapes import SHAPES
from trueval.postprocess.named import DEFAULT, NONE, REPAIR
from trueval.postprocess.pipeline import Pipeline
from trueval.tasks.demo import Demo
from trueval.tasks.humaneval import HumanEval
from trueval.types import Problem, TaskData

HUMANEVAL = HumanEval().load()

PROBLEM = Problem(
    problem_id="x/0",
    prefix='import math\n\n\ndef half(x):\n    return x / 2\n\n\ndef f(x):\n    """Doc."""\n',
    entry_point="f",
)
PREAMBLE = "import math\n\n\ndef half(x):\n    return x / 2\n\n\n"
BODY = "    y = x\n    return y\n"
WHOLE = "def f(x):\n    y = x\n    return y\n"


def value(source: str) -> object:
    """What the program's `f(3)` gives."""
    namespace: dict[str, object] = {}
    exec(source, namespace)
    return namespace["f"](3)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        (BODY, ()),
        ("\n" + BODY, ()),
        (BODY.lstrip(), ("align_body",)),
        (textwrap.dedent(BODY), ("align_body",)),
        (WHOLE, ()),
        (f"```python\n{WHOLE}```", ("unfence",)),
        (f"```\n{BODY}```", ("unfence",)),
        (f"```python\n{WHOLE}", ("unfence",)),
        (f"Sure!\n\n```python\n{WHOLE}```\nDone.", ("unfence",)),
        (f"First:\n```python\nprint(1)\n```\nthen\n```python\n{WHOLE}```", ("unfence",)),
        (f"Sure, here it is:\n\n{WHOLE}\nIt returns y.", ("skip_preface", "after_function")),
        (f"{BODY}\ndef main():\n    print(f(1))\n", ("end_of_function",)),
        (f"{BODY}```\nThis works because", ("end_of_function",)),
        (f"{BODY}```\nExample:\n```python\nf(1)\n```", ("end_of_function",)),
        (f"{BODY}\nThis function returns", ("end_of_function",)),
        (f"{WHOLE}\nassert f(1) == 2\nprint(input())\n", ("after_function",)),
        (f"{WHOLE}\nif __name__ == '__main__':\n    f()\n", ("after_function",)),
        ("    y = '''\ndef g(): pass\n'''\n    return x\n", ()),
        ("    return max([\nx, 1,\n])\n", ()),
    ],
)
def test_an_answer_in_any_shape_is_the_same_function(text: str, edits: tuple[str, ...]) -> None:
    program, repaired = DEFAULT(text, PROBLEM)
    assert value(program.source) == 3
    assert program.edits == edits
    assert repaired is None


def test_a_whole_function_keeps_the_imports_and_helpers_of_the_problem() -> None:
    program, _ = DEFAULT("def f(x):\n    return half(math.floor(x)) * 2\n", PROBLEM)
    assert value(program.source) == 3


def test_helpers_that_an_answer_defines_are_kept() -> None:
    text = (
        "```python\nimport re\nK = 3\n\ndef f(x):\n    return g(x)\n\ndef g(x):\n    return K\n```"
    )
    assert value(DEFAULT(text, PROBLEM)[0].source) == 3


@pytest.mark.parametrize("text", ["", "  \n\n", "```python\n```"])
def test_an_answer_without_code_is_no_program(text: str) -> None:
    assert DEFAULT(text, PROBLEM)[0].source.strip() in ("", PROBLEM.prefix + text)


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "(" * 5000,
        "```",
        "def f(",
        "    return '\ud800'",
        "\t" * 99 + "x",
        "é" * 100,
        "```\n" * 500,
    ],
)
def test_hostile_text_is_some_program_and_no_error(text: str) -> None:
    DEFAULT(text, PROBLEM)
    REPAIR(text, PROBLEM)


def test_none_glues_text_to_the_problem_and_does_nothing_else() -> None:
    assert NONE("```x", PROBLEM)[0].source == PROBLEM.prefix + "```x"


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        ("    return os.path.join('a')\n", ("missing_imports",)),
        ("def f(x):\n    return Counter([x])\n", ("missing_imports",)),
        ("    if x:\n        return 3\n    return (", ("whole_statements",)),
    ],
)
def test_a_repair_makes_a_second_program_and_leaves_the_first(
    text: str, repairs: tuple[str, ...]
) -> None:
    raw, repaired = REPAIR(text, PROBLEM)
    assert raw == DEFAULT(text, PROBLEM)[0]
    assert repaired is not None
    assert repaired.edits == (*raw.edits, *repairs)
    value(repaired.source)


@pytest.mark.parametrize("pipeline", [DEFAULT, REPAIR], ids=lambda p: p.name)
@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("task", [HUMANEVAL, Demo().load()], ids=lambda task: task.name)
def test_canonical_answers_come_through_and_need_no_repair(
    pipeline: Pipeline, shape: str, task: TaskData
) -> None:
    for problem in task.problems[::4]:
        text = SHAPES[shape](problem, task.references[problem.problem_id])
        program, repaired = pipeline(text, problem)
        assert repaired is None
        compile(program.source, "<program>", "exec")
        # The edits of one pass leave nothing for a second one to do.
        again, _ = pipeline(program.source, problem)
        assert again.edits == (), problem.problem_id


def test_the_steps_see_no_references() -> None:
    fields = set(Problem.__dataclass_fields__)
    assert fields == {"problem_id", "prefix", "suffix", "entry_point", "glue"}
