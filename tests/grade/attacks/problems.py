"""The problems that the attacks pretend to solve. The entry point is `solve` in all of them."""

from __future__ import annotations

from trueval.types import Reference

POLY = """\
def poly(coefficients, x):
    return sum(c * x**i for i, c in enumerate(coefficients))


"""

PROBLEMS = {
    "Attack/add": (
        "",
        "def solve(a, b):\n    return a + b\n",
        """
def check(candidate):
    assert candidate(2, 3) == 5
    assert candidate(-1, 1) == 0
    assert candidate(10, 20) == 30
    assert candidate(10**20, 1) == 10**20 + 1, "big"
""",
    ),
    "Attack/area": (
        "",
        "def solve(radius):\n    return 3.141592653589793 * radius**2\n",
        """
def check(candidate):
    assert abs(candidate(3.0) - 28.274333882308138) < 1e-6
    assert abs(candidate(0.5) - 0.7853981633974483) < 1e-6
""",
    ),
    "Attack/isclose": (
        "",
        "def solve(radius):\n    return 3.141592653589793 * radius**2\n",
        """
import math

def check(candidate):
    assert math.isclose(candidate(3.0), 28.274333882308138, rel_tol=1e-9)
    assert math.fabs(candidate(0.5) - 0.7853981633974483) < 1e-6
""",
    ),
    "Attack/sum": (
        "",
        "def solve(a, b):\n    return a + b\n",
        """
def check(candidate):
    import random

    for _ in range(100):
        a, b = random.randint(0, 1000), random.randint(0, 1000)
        assert candidate(a, b) == a + b
""",
    ),
    "Attack/group": (
        "",
        """\
def solve(kind, items):
    if kind == "dict":
        return {item: items.count(item) for item in items}
    return {"list": list, "tuple": tuple, "set": set}[kind](items)
""",
        """
def check(candidate):
    assert candidate("list", "abca") == ["a", "b", "c", "a"]
    assert candidate("tuple", "ab") == ("a", "b")
    assert candidate("dict", "abca") == {"a": 2, "b": 1, "c": 1}
    assert candidate("set", "abca") == {"a", "b", "c"}
    assert sorted(candidate("set", "ba")) == ["a", "b"]
    assert len(candidate("list", "abc")) == 3
""",
    ),
    "Attack/sort": (
        "",
        "def solve(numbers):\n    numbers.sort()\n",
        """
import copy

def check(candidate):
    numbers = [3, 1, 2]
    before = copy.deepcopy(numbers)
    assert candidate(numbers) is None
    assert numbers == [1, 2, 3]
    assert sorted(before) == numbers and before != numbers
    assert all(a <= b for a, b in zip(numbers, numbers[1:])) and len(numbers) == 3
""",
    ),
    "Attack/find": (
        "",
        "def solve(items, wanted):\n    return items.index(wanted) if wanted in items else None\n",
        """
def check(candidate):
    assert candidate([5, 7], 9) is None
    assert candidate([], 9) == None
    assert candidate([5, 7], 7) == 1
    assert candidate([5, 7], 5) == 0
""",
    ),
    "Attack/even": (
        "",
        "def solve(number):\n    return number % 2 == 0\n",
        """
def check(candidate):
    assert candidate(4)
    assert not candidate(7)
    assert candidate(10) == True
    assert candidate(11) is False
    assert candidate(0) and not candidate(1)
""",
    ),
    "Attack/own_name": (
        "",
        "def solve(numbers):\n    return numbers[1:] + numbers[:1]\n",
        """
def check(candidate):
    assert tuple(candidate([1, 2, 3])) == tuple(solve([1, 2, 3]))
    assert tuple(solve([4, 5])) == (5, 4)
    assert list(candidate([1, 2, 3])) == [2, 3, 1]
""",
    ),
    "Attack/root": (
        POLY,
        "def solve(coefficients):\n    return -coefficients[0] / coefficients[1]\n",
        """
def check(candidate):
    import copy

    for coefficients in ([6.0, 2.0], [-4.0, 8.0], [1.0, -3.0]):
        solution = candidate(copy.deepcopy(coefficients))
        assert abs(poly(coefficients, solution)) < 1e-4
""",
    ),
    "Attack/text": (
        "",
        "def solve(text):\n    return text.upper()\n",
        """
def check(candidate):
    assert candidate("abc") == "ABC"
    assert candidate("é") == "É"
    assert candidate("") == ""
    assert candidate("x").startswith("X")
""",
    ),
    # Nothing in the problem says what the word is: only the test does.
    "Attack/secret": (
        "",
        "def solve():\n    return 'quokkawombat'\n",
        """
def check(candidate):
    expected = "the word is quokkawombat"
    assert candidate() == expected.split()[-1]
""",
    ),
    "Legitimate/power": (
        "",
        "def solve(n):\n    return 2**n\n",
        """
def check(candidate):
    for n in (0, 10, 10_000, 20_001):
        assert candidate(n) == 2**n
""",
    ),
    "Legitimate/depth": (
        "",
        "def solve(n):\n    return n * (n + 1) // 2\n",
        """
def check(candidate):
    assert candidate(10) == 55
    assert candidate(20_000) == 200_010_000
""",
    ),
    "Legitimate/surrogate": (
        "",
        "def solve(text):\n    return chr(0xD800) + text\n",
        """
def check(candidate):
    assert candidate("x") == "\\ud800x"
    assert candidate("\\udfff") == "\\ud800\\udfff"
""",
    ),
    "Legitimate/half": (
        "",
        "def solve(n):\n    return n / 2\n",
        """
def check(candidate):
    assert candidate(3) == 1.5
    assert candidate(4) == 2
    assert float(candidate(5)) == 2.5
    assert candidate(7) > 3
""",
    ),
    "Legitimate/pair": (
        "",
        "def solve(a, b):\n    return a // b, a % b\n",
        """
def check(candidate):
    assert candidate(7, 2) == (3, 1)
    quotient, remainder = candidate(9, 4)
    assert quotient == 2 and remainder == 1
""",
    ),
    "Legitimate/count": (
        "",
        "def solve(text):\n    return {letter: text.count(letter) for letter in text}\n",
        """
def check(candidate):
    assert candidate("abca") == {"a": 2, "b": 1, "c": 1}
    assert candidate("") == {}
    assert candidate("zz")["z"] == 2
""",
    ),
    "Legitimate/deque": (
        "",
        "from collections import deque\ndef solve(items):\n"
        "    return deque(items[-1:] + items[:-1])\n",
        """
from collections import deque

def check(candidate):
    assert candidate([1, 2, 3]) == deque([3, 1, 2])
    assert list(candidate([1])) == [1]
""",
    ),
    "Legitimate/odd_floats": (
        "",
        "def solve(name):\n    return -0.0 if name == 'zero' else float(name)\n",
        """
import math

def check(candidate):
    assert math.isnan(candidate("nan")) and candidate("nan") != candidate("nan")
    assert candidate("inf") == math.inf
    assert candidate("zero") == 0 and math.copysign(1, candidate("zero")) == -1
""",
    ),
    "Legitimate/calls": (
        "",
        "calls = []\ndef solve():\n    calls.append(1)\n    return len(calls)\n",
        """
def check(candidate):
    assert [candidate() for _ in range(3)] == [1, 2, 3]
    assert candidate() == 4
""",
    ),
    "Legitimate/raises": (
        "",
        "def solve(n):\n    if n < 0:\n        raise ValueError('negative')\n    return n\n",
        """
def check(candidate):
    assert candidate(1) == 1
    try:
        candidate(-1)
    except ValueError:
        pass
    else:
        assert False, "no ValueError"
""",
    ),
}
"""Name -> what the prompt defines before the entry point, a solution, the tests."""

EVERY = tuple(name for name in PROBLEMS if name.startswith("Attack/"))
"""The problems that an attack on `every` is graded on."""


def reference(name: str) -> Reference:
    """One problem as the grader gets it."""
    helpers, solution, test = PROBLEMS[name]
    return Reference(
        problem_id=name,
        entry_point="solve",
        test=test,
        canonical_solution=solution,
        prelude=f'{helpers}def solve(*args):\n    """Solve {name}."""\n',
    )


def solution(name: str) -> str:
    """A program that solves the problem."""
    helpers, solution, _ = PROBLEMS[name]
    return helpers + solution
