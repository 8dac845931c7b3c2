"""What crosses between tests and program: arguments, references, changes, answers, helpers."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from trueval.grade.functional import FunctionalGrader
from trueval.types import Failure, Grade, Program, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=1.0, memory_mb=256, workers=2)
    await grader.open()
    yield grader
    await grader.close()


def reference(body: str, *, before: str = "", prelude: str = "") -> Reference:
    """A reference whose `check` has this body."""
    body, before = textwrap.dedent(body).strip(), textwrap.dedent(before)
    test = f"{before}\ndef check(candidate):\n{textwrap.indent(body, '    ')}\n"
    return Reference(
        problem_id="split/0", entry_point="f", test=test, canonical_solution="", prelude=prelude
    )


async def grade(
    grader: FunctionalGrader, source: str, body: str, *, before: str = "", prelude: str = ""
) -> Grade:
    tests = reference(body, before=before, prelude=prelude)
    result = await grader.grade(Program(source=textwrap.dedent(source)), tests)
    assert isinstance(result, Grade), result
    return result


# --------------------------------------------------------------------------- references

BY_REFERENCE = {
    "a builtin type": ("def f(kind, x): return kind(x)", "candidate(int, '3') == 3"),
    "a type of the standard library": (
        "def f(kind): return kind('aab').most_common(1)",
        "candidate(collections.Counter) == [('a', 2)]",
    ),
    "a module": ("def f(m): return m.floor(2.5)", "candidate(math) == 2"),
    "a module in a package": ("def f(m): return m.__name__", "candidate(os.path) == 'posixpath'"),
    "a function": ("def f(g, x): return g(x)", "candidate(math.sqrt, 9) == 3"),
    "a builtin function": ("def f(g, x): return g(x)", "candidate(len, 'abc') == 3"),
    "a Python function": ("def f(g): return g(' x')", "candidate(textwrap.dedent) == 'x'"),
    "a method of a type": ("def f(g, x): return g(x)", "candidate(str.upper, 'a') == 'A'"),
    "a Python method": (
        "def f(g, x): return g(x)",
        "candidate(Fraction.limit_denominator, Fraction(1, 2)) == 0.5",
    ),
    "a class method": ("def f(g): return g('a')", "candidate(dict.fromkeys) == {'a': None}"),
    "a Python class method": (
        "def f(g): return g(0.5)",
        "candidate(Fraction.from_float) == 0.5",
    ),
    "a slot of a type": ("def f(g, x): return g(x)", "candidate(list.__len__, [1, 2]) == 2"),
    "a builtin type without a name in builtins": (
        "def f(kind): return isinstance(f, kind)",
        "candidate(types.FunctionType)",
    ),
    "an operator": ("def f(g): return g(2, 3)", "candidate(operator.add) == 5"),
    "an exception": (
        "def f(e): return issubclass(e, ValueError)",
        "candidate(json.JSONDecodeError)",
    ),
    "keyword": ("def f(*, key): return key(2.5)", "candidate(key=math.floor) == 2"),
    "in containers": (
        "def f(gs, by): return [g(4) for g in gs] + [by['t'](1.5)]",
        "candidate([math.sqrt, abs], {'t': int}) == [2, 4, 1]",
    ),
}
MODULES = "import collections, json, math, operator, os.path, textwrap, types\n"
MODULES += "from fractions import Fraction"


@pytest.mark.parametrize(("source", "claim"), BY_REFERENCE.values(), ids=BY_REFERENCE)
async def test_what_can_be_imported_by_name_arrives_as_itself(
    grader: FunctionalGrader, source: str, claim: str
) -> None:
    result = await grade(grader, source, f"assert {claim}", before=MODULES)
    assert result.verdict == "passed", result


MUTATED = {
    "a list": (
        "def f(g, x): x.append(g(4))",
        "x = [1]; candidate(math.sqrt, x); assert x == [1, 2]",
    ),
    "a dict": (
        "def f(m, x): x['a'] = m.pi > 3",
        "x = {}; candidate(math, x); assert x == {'a': True}",
    ),
    "a nested list": (
        "def f(m, x): x[1].sort(key=m.sqrt)",
        "x = [0, [9, 4]]; inner = x[1]; candidate(math, x); assert inner == [4, 9]",
    ),
    "a keyword": (
        "def f(g, *, x): x.clear()",
        "x = {1, 2}; candidate(math.sqrt, x=x); assert x == set()",
    ),
    "a list that holds a reference": (
        "def f(x): x[1] = x[0](x[1])",
        "x = [math.sqrt, 4]; candidate(x); assert x == [math.sqrt, 2]",
    ),
    "a dict that holds a reference": (
        "def f(x): x['n'] += 1",
        "x = {'g': math.sqrt, 'n': 0}; candidate(x); assert x == {'g': math.sqrt, 'n': 1}",
    ),
    "nothing": (
        "def f(g, x): return 1",
        "x = [[]]; y = x[0]; candidate(math, x); assert x[0] is y",
    ),
}


@pytest.mark.parametrize(("source", "body"), MUTATED.values(), ids=MUTATED)
async def test_what_a_call_changes_beside_a_reference_is_changed_in_the_test(
    grader: FunctionalGrader, source: str, body: str
) -> None:
    result = await grade(grader, source, body, before=MODULES)
    assert result.verdict == "passed", result


async def test_a_reference_that_is_replaced_by_an_object_of_the_program_is_not_kept(
    grader: FunctionalGrader,
) -> None:
    source = "class C: pass\ndef f(x): x[0], x[1] = C(), C()"
    body = "x = [math.sqrt, 4]; candidate(x); assert x[1] == 4"
    result = await grade(grader, source, body, before=MODULES)
    assert result.verdict == "wrong", result


NOT_DATA = {
    "a lambda": "candidate(lambda x: x)",
    "a lambda in a list": "candidate([lambda x: x])",
    "a lambda by keyword": "candidate(key=lambda x: x)",
    "a function of the test": "candidate(check)",
    "a local function": "def local(): pass\ncandidate(local)",
    "a class of the test": "class C: pass\ncandidate(C)",
    "an object of the test": "class C: pass\ncandidate(C())",
    "a bound method": "candidate([].append)",
    "a partial": "candidate(functools.partial(int, base=2))",
    "a generator": "candidate(x for x in ())",
    "a lambda under a borrowed name": "g = lambda: 0\ng.__module__ = 'math'\ncandidate(g)",
    "an open file": "candidate(sys.stdin)",
}


@pytest.mark.parametrize("body", NOT_DATA.values(), ids=NOT_DATA)
async def test_an_argument_that_cannot_be_sent_is_the_tests_failure_and_no_verdict(
    grader: FunctionalGrader, body: str
) -> None:
    tests = reference(body, before="import functools, sys")
    result = await grader.grade(Program(source="def f(*_, **__): pass"), tests)
    assert isinstance(result, Failure), result
    assert "split/0" in result.message
    assert "not data" in result.message
    assert not result.retryable


async def test_an_answer_that_is_handed_back_and_is_not_data_fails_the_program(
    grader: FunctionalGrader,
) -> None:
    source = "class Foo: pass\ndef f(x): return Foo()"
    result = await grade(grader, source, "assert candidate(candidate(1)) == 2")
    assert result.verdict == "error", result
    assert "unsupported value: Foo" in result.detail


# --------------------------------------------------------------------------- expressions


async def test_expressions_and_statements_run_beside_the_program(grader: FunctionalGrader) -> None:
    source = """
        class Box:
            def __init__(self, x): self.x = x
            def __eq__(self, other): return True
        def f(kind, x): return kind(x)
    """
    body = """
        assert candidate.evaluate("f(Box, 3).x") == 3
        assert candidate.evaluate("[b.x for b in map(Box, (1, 2))]") == [1, 2]
        assert type(candidate.evaluate("Box(1)")).__name__ == "Opaque"
        assert candidate.evaluate("Box(1)") != 5, "an object of the program equals nothing"
        assert candidate.execute("box = Box(7); box.x += 1") is None
        assert candidate.evaluate("box.x") == 8
        try:
            candidate.evaluate("1 / 0")
        except ZeroDivisionError as error:
            assert str(error) == "division by zero"
        else:
            assert False
        try:
            candidate.execute("def (")
        except SyntaxError:
            return
        assert False
    """
    result = await grade(grader, source, body)
    assert result.verdict == "passed", result


@pytest.mark.parametrize(
    ("asked", "verdict", "detail"),
    [
        ("evaluate('f(1)')", "wrong", "AssertionError"),
        ("evaluate('g(1)')", "error", "NameError: name 'g' is not defined"),
        ("execute('import os; os._exit(3)')", "crashed", "exited 3"),
        ("execute('raise SystemExit')", "crashed", "exit before the tests ended"),
        ("execute('while True: pass')", "timeout", "timeout (cpu)"),
    ],
)
async def test_what_goes_wrong_in_them_is_a_verdict_on_the_program(
    grader: FunctionalGrader, asked: str, verdict: str, detail: str
) -> None:
    result = await grade(grader, "def f(x): return x", f"assert candidate.{asked} == 2")
    assert result.verdict == verdict, result
    assert detail in result.detail


# --------------------------------------------------------------------------- honest answers

HONEST = {
    "Counter is a dict": (
        "from collections import Counter\ndef f(x): return Counter(x)",
        "assert candidate('aab') == {'a': 2, 'b': 1}",
    ),
    "OrderedDict and defaultdict are dicts": (
        "from collections import OrderedDict, defaultdict\n"
        "def f(x): return [OrderedDict(a=x), defaultdict(list, b=[x])]",
        "assert candidate(1) == [{'a': 1}, {'b': [1]}]",
    ),
    "namedtuple is a tuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(x): return P(x, 2)",
        "assert candidate(1) == (1, 2)",
    ),
    "enum of ints is an int": (
        "from enum import IntEnum\nclass E(IntEnum): A = 1\ndef f(): return E.A",
        "assert candidate() == 1",
    ),
    "1 is True and 0.0 is False": (
        "def f(x): return x",
        "assert candidate(1) == True and candidate(0.0) == False and candidate(True) == 1.0",
    ),
    "True stays a bool": ("def f(x): return x > 0", "assert candidate(1) is True"),
    "the sign of zero": (
        "def f(): return -0.0",
        "import math\nassert candidate() == 0 and math.copysign(1, candidate()) == -1",
    ),
    "nan": (
        "def f(x): return [x, float('inf') - float('inf')]",
        "import math\nassert all(map(math.isnan, candidate(math.nan)))\n"
        "assert candidate(0)[1] != candidate(0)[1]",
    ),
    "infinity": ("def f(x): return -x", "assert candidate(float('inf')) == float('-inf')"),
    "big numbers": ("def f(n): return 7 ** n", "assert candidate(9999) == 7 ** 9999"),
    "a generator": (
        "def f(n):\n    for x in range(n): yield x * x",
        "assert list(candidate(3)) == [0, 1, 4] and next(candidate(1)) == 0",
    ),
    "map, zip and views": (
        "def f(x): return [map(str, x), zip(x, x), {1: 2}.keys(), {1: 2}.items()]",
        "m, z, k, i = candidate([1])\n"
        "assert (list(m), list(z), list(k), list(i)) == (['1'], [(1, 1)], [1], [(1, 2)])",
    ),
    "sorts in place": (
        "def f(x): x.sort()",
        "x = [3, 1, 2]; alias = x\nassert candidate(x) is None and alias == [1, 2, 3]",
    ),
    "changes a nested argument": (
        "def f(x): x['a'][0].append(5); del x['b']",
        "inner = []; x = {'a': [inner], 'b': 1}\ncandidate(x)\n"
        "assert inner == [5] and x == {'a': [inner]}",
    ),
    "default arguments last": (
        "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)",
        "assert [candidate(0), candidate(0), candidate(0)] == [1, 2, 3]",
    ),
    "globals last": (
        "count = 0\ndef f():\n    global count\n    count += 1\n    return count",
        "assert candidate() == 1 and candidate() == 2",
    ),
    "globals do not outlive their sample": (
        "import builtins\ndef f():\n    builtins.left = getattr(builtins, 'left', 0) + 1\n"
        "    return builtins.left",
        "assert candidate() == 1",
    ),
    "an expected exception": (
        "class Mine(ValueError): pass\ndef f(): raise Mine('no')",
        "try:\n    candidate()\nexcept ValueError as error:\n    assert str(error) == 'no'\n"
        "else:\n    assert False",
    ),
    "unicode": (
        r"def f(x): return x + '\ud800é'",
        r"assert candidate('\udfff') == '\udfff\ud800é'",
    ),
}


@pytest.mark.parametrize(("source", "body"), HONEST.values(), ids=HONEST)
async def test_unusual_and_right_answers_pass(
    grader: FunctionalGrader, source: str, body: str
) -> None:
    for _ in range(2):  # the second must not meet what the first left
        result = await grade(grader, source, body)
        assert result.verdict == "passed", result


async def test_an_exception_that_the_test_does_not_expect_is_an_error(
    grader: FunctionalGrader,
) -> None:
    body = "try:\n    candidate()\nexcept ValueError:\n    pass"
    assert (await grade(grader, "def f(): raise ValueError", body)).passed
    result = await grade(grader, "def f(): raise KeyError('k')", body)
    assert (result.verdict, result.detail) == ("error", "KeyError: 'k'")


PROMPT = "def poly(xs, x):\n    return sum(c * x**i for i, c in enumerate(xs))\n\ndef f(xs):\n"
ROOT = "assert abs(poly([-2, 1], candidate([-2, 1]))) < 1e-6"


@pytest.mark.parametrize("prompt", [PROMPT, PROMPT + "    '''Find a root.'''\n"])
@pytest.mark.parametrize(
    ("rest", "verdict"),
    [
        ("    return 2.0", "passed"),
        ("    return 3.0", "wrong"),
        ("    return 3.0\ndef poly(*_): return 0", "wrong"),
        ("    global poly\n    poly = lambda *_: 0\n    return 3.0", "wrong"),
        ("    return 2.0\ndef poly(*_): return 1", "passed"),
        ("    return 3.0\nimport builtins; builtins.abs = lambda _: 0", "wrong"),
    ],
)
async def test_helpers_come_from_the_prompt_and_not_from_the_program(
    grader: FunctionalGrader, prompt: str, rest: str, verdict: str
) -> None:
    result = await grade(grader, prompt + rest, ROOT, prelude=prompt)
    assert result.verdict == verdict, result
