"""What is read off the Python source of benchmarks."""

from __future__ import annotations

import pytest

from trueval.tasks.python_source import (
    asserted_function,
    before_function,
    last_function,
    without_own_call,
)

CHECK = "def check(candidate):\n    assert candidate(1) == 1\n"
RUNS = "\ndef test_check():\n    check(f)\n\ntest_check()\n"


@pytest.mark.parametrize(
    ("tests", "code", "name"),
    [
        (["assert f(1) == 1"], "def f(x): return x", "f"),
        (["assert set(f([1])) == set([1])"], "def f(x): return x", "f"),
        (["assert g(f(1)) == 1", "assert f(2) == 2"], "def f(x): ...\ndef g(x): ...", "f"),
        (["assert longest([Pair(1, 2)]) == 1"], "class Pair: ...\ndef longest(x): ...", "longest"),
        (["assert f(1)"], "f = lambda x: x", "f"),
        (["assert Stack().empty()"], "class Stack: ...", "Stack"),
        (["assert print(1) is None"], "def f(): ...", ""),
        (["assert f(1"], "def f(x): ...", ""),
        (["assert f('\\w')"], "def f(x): return '\\w'", "f"),
    ],
)
def test_the_entry_point_is_what_the_asserts_call(tests: list[str], code: str, name: str) -> None:
    assert asserted_function(tests, code) == name


@pytest.mark.parametrize(
    ("tests", "rest", "name"),
    [
        (CHECK + RUNS, CHECK, "f"),
        (CHECK + "check(f)\n", CHECK, "f"),
        (CHECK + "def run():\n    check(f)\n\ndef both():\n    run()\nboth()\n", CHECK, "f"),
        (CHECK + "if __name__ == '__main__':\n    check(f)\n", CHECK, "f"),
        ("import math\n" + CHECK + RUNS, "import math\n" + CHECK, "f"),
        ("test_check = None\n" + CHECK, "test_check = None\n" + CHECK, ""),
        ("def check(c): assert c(1) == 1\nx = 1; check(f)\n", "def check(c):\n", "f"),
        (CHECK, CHECK, ""),
        ("assert f(1) == 1\n", "", ""),
        ("def check(:\n", "", ""),
    ],
)
def test_tests_lose_the_call_of_themselves(tests: str, rest: str, name: str) -> None:
    left, found = without_own_call(tests)
    assert found == name
    assert left.strip().startswith(rest.strip())
    if rest:
        namespace: dict[str, object] = {}
        exec(left, namespace)  # it calls nothing that is not there
        assert "check" in namespace


def test_helpers_are_what_stands_before_the_function() -> None:
    code = "import math\n\ndef help(): ...\n\n@staticmethod\ndef f(): ...\ndef g(): ...\n"
    assert before_function(code, "f") == "import math\n\ndef help(): ...\n\n"
    assert before_function(code, "h") == before_function("def f(:", "f") == ""
    assert last_function(code) == "g"
