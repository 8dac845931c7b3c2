"""Tests and programs that a review found judged other than one plain process would."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.grade.verdicts import grade
from trueval.grade.functional import FunctionalGrader
from trueval.types import Failure, Inputs, Program, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=2.0, workers=2)
    await grader.open()
    yield grader
    await grader.close()


def check(body: str, before: str = "", prelude: str = "") -> Reference:
    body = textwrap.indent(textwrap.dedent(body), "    ")
    return Reference(
        problem_id="honest/0",
        entry_point="f",
        test=f"{before}\ndef check(candidate):\n{body}\n",
        canonical_solution="",
        prelude=prelude,
    )


def asserts(test: str) -> Reference:
    return Reference(
        problem_id="honest/0", entry_point="f", test=test, canonical_solution="", style="asserts"
    )


def plainly(source: str, tests: Reference) -> None:
    """Run program and tests as one, without any grader: raises where it is not right."""
    space: dict[str, object] = {}
    exec(source, space)
    if tests.style == "check":
        holder: dict[str, Any] = {}
        exec(tests.test, holder)
        holder["check"](space["f"])
    else:
        exec(tests.test, space)


CHECKS = {
    "a keyword named self": ("def f(**k): return k", "assert candidate(self=1) == {'self': 1}"),
    "the text of a KeyError": (
        "def f(d): return d['k']",
        "try: candidate({})\n"
        "except KeyError as e: assert (str(e), e.args) == (\"'k'\", ('k',))\n"
        "else: assert False",
    ),
    "what an OSError holds": (
        "def f(): return open('/nowhere/at/all')",
        "try: candidate()\nexcept OSError as e: assert (e.errno, e.filename)"
        " == (2, '/nowhere/at/all')",
    ),
    "an exception made of more than a text": (
        "def f(b): return b.decode()",
        "try: candidate(b'\\xff')\nexcept ValueError as e: assert e.start == 0\nelse: assert False",
    ),
    "a long text": (
        "def f(): raise ValueError('x' * 3000)",
        "try: candidate()\nexcept ValueError as e: assert len(str(e)) == 3000",
    ),
    "an exception that writes its own text": (
        "class E(ValueError):\n    def __str__(self): return 'own'\ndef f(): raise E(1)",
        "try: candidate()\nexcept ValueError as e: assert str(e) == 'own'",
    ),
    "calls from threads": (
        "def f(x): return 2 * x",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    assert list(pool.map(candidate, range(50))) == [2 * x for x in range(50)]",
    ),
    "a generator that raises": (
        "def f(n):\n    if n < 0: raise ValueError('neg')\n    yield from range(n)",
        "assert list(candidate(2)) == [0, 1]\n"
        "try: list(candidate(-1))\nexcept ValueError: return\nassert False",
    ),
    "whether a match was found": (
        "import re\ndef f(s): return re.match('a+$', s)",
        "assert candidate('aa') and not candidate('ab') and bool(candidate('a')) is True",
    ),
    "an object that says it is false": (
        "class No:\n    def __bool__(self): return False\ndef f(): return No()",
        "assert not candidate()",
    ),
    "an argument changed before a raise": (
        "def f(x):\n    x.append(1)\n    raise ValueError",
        "x = []\ntry: candidate(x)\nexcept ValueError: pass\nassert x == [1]",
    ),
    "exit, caught": (
        "def f(n): return n\ntry: exit(0)\nexcept SystemExit: pass",
        "assert candidate(1) == 1",
    ),
    "recursion as deep as always": (
        "def f(n): return n and 1 + f(n - 1)",
        "assert candidate(900) == 900",
    ),
}


@pytest.mark.parametrize(("source", "body"), CHECKS.values(), ids=CHECKS)
async def test_what_is_right_plainly_passes(
    grader: FunctionalGrader, source: str, body: str
) -> None:
    plainly(source, check(body))
    result = await grade(grader, source, check(body))
    assert result.passed, result


async def test_an_exception_of_the_library_is_itself(grader: FunctionalGrader) -> None:
    body = "try: candidate('{')\nexcept json.JSONDecodeError as e: assert e.pos == 1\nelse: 1 / 0"
    source = "import json\ndef f(s): return json.loads(s)"
    result = await grade(grader, source, check(body, before="import json"))
    assert result.passed, result


NODE = """
class Node:
    def __init__(self, v): self.v, self.kids = v, []
    def add(self, kid): self.kids.append(kid)
def f(x):
    if isinstance(x, Node): return x.v + sum(map(f, x.kids))
    return sum(map(f, x)) if isinstance(x, list) else x
"""
ASSERTS = {
    "a call fills an object": "t = Node(1)\nt.add(Node(2))\nassert f(t) == 3",
    "a list is filled": "ns = []\nns.append(Node(1))\nassert f(ns) == 1",
    "in a loop": "ns = []\nfor i in range(3):\n    ns.append(Node(i))\nassert f(ns) == 3",
    "a heap is filled": "import heapq\nh = []\nheapq.heappush(h, 3)\nassert f([Node(1), h]) == 4",
    "builtins are looked at": "n = [Node(1)]\nprint(len(n))\nassert len(str(f(n))) == 1",
    "augmented": "ns = []\nns += [Node(1)]\nassert f(ns) == 1",
    "a name gets another value": "n = 5\nassert f(n) == 5\nn = Node(6)\nassert f(n) == 6",
    "data made in a loop": "k = [1]\nfor i in (1, 2): k.append(i)\nassert f([Node(0), k]) == 4",
    "an item is deleted": "k = [1, 2]\ndel k[0]\nassert f([Node(0), k]) == 2",
    "put in, then changed": "t, k = Node(1), []\nt.kids = k\nk.append(5)\nassert f(t) == 6",
}


@pytest.mark.parametrize("test", ASSERTS.values(), ids=ASSERTS)
async def test_asserts_with_objects_of_the_programs_own(
    grader: FunctionalGrader, test: str
) -> None:
    plainly(NODE, asserts(test))
    result = await grade(grader, NODE, asserts(test))
    assert result.passed, result
    wrong = await grade(grader, NODE.replace("return x.v +", "return 9 + x.v +"), asserts(test))
    assert not wrong.passed, wrong


async def test_a_parameter_is_not_the_name_around_it(grader: FunctionalGrader) -> None:
    tests = asserts("v = 4\nassert f(v, lambda v: v) == 4")
    result = await grade(grader, "def f(x, g): return g(x)", tests)
    assert result.passed, result


# --------------------------------------------------------------------------- whose fault it is


async def test_a_prompt_that_does_not_run_gives_what_it_can(grader: FunctionalGrader) -> None:
    prelude = "def one(): return 1\nraise RuntimeError\ndef f(x):\n"
    result = await grade(
        grader, "def f(x): return x", check("assert candidate(1) == 1", "", prelude)
    )
    assert result.passed, result


@pytest.mark.parametrize(
    ("tests", "named"),
    [
        (check("assert candidate(1)", before="import no_such_module"), "no_such_module"),
        (check("x = []\nx.append(x)\ncandidate(x)"), "what is not data"),
        (asserts("assert f(300) == " + "+".join(["1"] * 2000)), "do not compile"),
        (asserts(f"n = 0x{'f' * 4000}\nassert f(Mine(n))"), "cannot be sent"),
    ],
    ids=["a module is missing", "a list holds itself", "too deep", "too long a number"],
)
async def test_what_is_wrong_with_the_tests_is_no_verdict(
    grader: FunctionalGrader, tests: Reference, named: str
) -> None:
    result = await grader.grade(Program(source="def f(x): return x"), tests)
    assert isinstance(result, Failure)
    assert named in result.message


ANSWERS = {
    "put into an argument": ("def f(l):\n    l.append(print)\n    return 6", "candidate(l)"),
    "an iterator put there": ("def f(l):\n    l.append(iter([1]))\n    return 6", "candidate(l)"),
    "an iterator": ("def f(l): return map(int, l)", "candidate(candidate(l))"),
    "within a list": ("def f(l): return [object()]", "candidate(candidate(l))"),
}


@pytest.mark.parametrize(("source", "again"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_that_cannot_be_passed_on_is_a_verdict(
    grader: FunctionalGrader, source: str, again: str
) -> None:
    tests = check(f"l = [3, 1, 2]\ncandidate(l)\n{again}")
    result = await grade(grader, source, tests)
    assert (result.verdict, result.cause) == ("error", "unsupported-value")


async def test_an_iterator_is_shown_as_one(grader: FunctionalGrader) -> None:
    result = await grade(
        grader, "def f(): return [map(int, '1')]", check("assert candidate() == [1]")
    )
    assert result.failing_call is not None
    assert result.failing_call.got == "[<iterator>]"


# --------------------------------------------------------------------------- hostile


async def test_nothing_that_answers_are_compared_with_is_shipped(grader: FunctionalGrader) -> None:
    steals = "def f(*a):\n    c = globals().get('c')\n    return c[0][1] if c else object()\n"
    test = (
        "c = [([1, 2], 3)]\nfirst = f(c[0][0])\nassert first is not None\n"
        "assert f(first, c[0][0]) == c[0][1]"
    )
    result = await grade(grader, steals, asserts(test))
    assert (result.verdict, result.cause) == ("error", "unsupported-value")
    own = "c = [([1, 2], 3)]\nassert f(Node(c[0][0])) == c[0][1]"
    refused = await grader.grade(Program(source=NODE), asserts(own))
    assert isinstance(refused, Failure)
    assert "'c' would be told to the program" in refused.message


AHEAD = """
import os
for answer in (1, 2):
    reply = b"vi" + answer.to_bytes(8, "little")
    os.write(3, len(reply).to_bytes(4, "big") + reply)
{}
def f(x): pass
"""


@pytest.mark.parametrize(
    ("then", "verdict"), [("os._exit(0)", "crashed"), ("while True: pass", "timeout")]
)
async def test_answers_made_ahead_of_an_early_end_are_none(
    grader: FunctionalGrader, then: str, verdict: str
) -> None:
    inputs = Inputs(args=((1,), (2,)), expected=(1, 2))
    tests = Reference(
        problem_id="honest/0", entry_point="f", test="", canonical_solution="", inputs=inputs
    )
    result = await grade(grader, AHEAD.format(then), tests)
    assert result.verdict == verdict


async def test_threads_that_use_up_the_time_are_out_of_time(grader: FunctionalGrader) -> None:
    burns = """
        import hashlib, threading
        def burn():
            while True: hashlib.sha256(bytes(1 << 20)).digest()
        def f():
            threads = [threading.Thread(target=burn) for _ in range(3)]
            [one.start() for one in threads] + [one.join() for one in threads]
    """
    result = await grade(grader, textwrap.dedent(burns), check("candidate()"))
    assert (result.verdict, result.cause) == ("timeout", "timeout-cpu")


async def test_no_descriptor_can_be_sent(grader: FunctionalGrader) -> None:
    sends = """
        import array, socket
        def f():
            a, b = socket.socketpair()
            fds = array.array("i", [a.fileno()])
            a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    """
    result = await grade(grader, textwrap.dedent(sends), check("candidate()"))
    assert result.verdict == "error"
    assert result.detail.startswith("PermissionError")


async def test_one_that_reads_little_by_little_is_out_of_time(grader: FunctionalGrader) -> None:
    reads = """
        import os, time
        def f(text): return len(text)
        def slowly():
            while True:
                os.read(3, 65536)
                time.sleep(0.25)
        slowly()
    """
    tests = check("candidate('x' * 12_000_000)")
    result = await grade(grader, textwrap.dedent(reads), tests)
    assert result.verdict == "timeout"


async def test_every_worker_and_turn_lets_a_program_recurse_as_deep(
    grader: FunctionalGrader,
) -> None:
    source = "def f(n=0):\n    try: return f(n + 1)\n    except RecursionError: return n"
    seen = set()
    for _ in range(16):
        result = await grade(grader, source, check("assert candidate() < 0, candidate()"))
        seen.add(result.detail)
    assert len(seen) == 1, seen
