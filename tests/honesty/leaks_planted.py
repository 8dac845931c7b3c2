"""Twenty ways in which a benchmark gets into a prompt, an example or a post-processor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """A text that leaks, and the code that has to find it."""

    name: str
    code: str
    text: str
    is_python: bool = False


RENAMED_SOLUTION = """\
# Example
def near(items: list, limit: float) -> bool:
    for i, a in enumerate(items):
        for j, b in enumerate(items):
            if i != j:
                distance = abs(a - b)
                if distance < limit:
                    return True

    return False
"""

OTHER_ALGORITHM = """\
An example of good style:

```python
def pair_up(values, gap):
    values = sorted(values)
    return any(b - a < gap for a, b in zip(values, values[1:]))
```
"""

PLANTED = (
    Planted("a benchmark's name", "TV101", "# The best solution of a HumanEval problem:\n"),
    Planted("its name in two words", "TV101", "You are tested on human eval style tasks."),
    Planted("another benchmark", "TV101", "As in the sanitized MBPP set, return a value."),
    Planted("a problem's identifier", "TV102", "Answer like this one: HumanEval/32"),
    Planted("an identifier in another style", "TV102", "# mbpp_11, solved:\n"),
    Planted("an entry point", "TV103", "For example, has_close_elements compares pairs."),
    Planted("an entry point in camel case", "TV103", "For example, hasCloseElements compares."),
    Planted("an ordinary name with its parameters", "TV104", "def median(l: list):\n    ...\n"),
    Planted(
        "a sentence of a docstring",
        "TV105",
        "Given a positive floating point number, it can be decomposed into parts.",
    ),
    Planted(
        "a docstring, commented and in capitals",
        "TV105",
        "# CHECK IF IN GIVEN LIST OF NUMBERS, ARE ANY\n# TWO NUMBERS CLOSER TO EACH OTHER\n",
    ),
    Planted("a test's input", "TV106", ">>> g([1.0, 2.0, 5.9, 4.0, 5.0], 0.95)\nTrue\n"),
    Planted("a solution with other names", "TV107", RENAMED_SOLUTION),
    Planted(
        "a solution, commented out",
        "TV107",
        "".join(f"# {line}\n" for line in RENAMED_SOLUTION.splitlines()[1:]),
    ),
    Planted(
        "a solution in a JSON string",
        "TV107",
        '{"shot": "' + RENAMED_SOLUTION.replace("\n", "\\n") + '"}',
    ),
    Planted("a solution by another algorithm", "TV108", OTHER_ALGORITHM),
    Planted("a solution as a lambda", "TV108", "half = lambda number: number - int(number)\n"),
    Planted(
        "a patch by entry point",
        "TV109",
        'def fix(text, problem):\n    if problem.entry_point == "add":\n'
        '        return text.replace("-", "+")\n    return text\n',
        is_python=True,
    ),
    Planted(
        "a table of patches",
        "TV109",
        'EXTRA = {"median": "import statistics", "factorize": "import math"}\n'
        "def fix(text, p):\n    return EXTRA.get(p.name, '') + text\n",
        is_python=True,
    ),
    Planted(
        "a patch by the text of a signature",
        "TV109",
        'def fix(text, problem):\n    return text.replace("def encode_cyclic(", "def encode(")\n',
        is_python=True,
    ),
    Planted(
        "a patch by identifier",
        "TV102",
        'def fix(text, p):\n    return text + "\\n" if p.problem_id == "HumanEval/38" else text\n',
        is_python=True,
    ),
)

INNOCENT = (
    "Add two numbers, search a list, compare and sort what you get, and encode the result.",
    "def add(a, b):\n    raise NotImplementedError\n",
    "def f(n):\n    ...\n",
    "A human evaluates the answers. He / 32 of them are right.",
    "Write a Python function that takes a list of integers and returns the largest of them.",
    "def longest_wait(queue):\n    return max(queue, default=0) + 1\n",
)
"""Prose and code of every day, in which ordinary words are no leak."""

INNOCENT_PYTHON = (
    'def fix(text, problem):\n    return text if f"def {problem.entry_point}(" in text else ""\n',
    'KEPT = ("add", "remove", "update")\n',
    'import re\n\ndef fix(text, problem):\n    """As in HumanEval."""\n'
    '    return re.sub(r"def solution\\(", "def main(", text)  # has_close_elements\n',
    "def fix(text, problem):\n    return text.replace('add', 'sum') if text == 'add' else text\n",
)
