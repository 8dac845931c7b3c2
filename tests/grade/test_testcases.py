"""`unittest` suites beside the program: lower trust, and what is done about it all the same."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from trueval.grade.functional import FunctionalGrader
from trueval.types import Grade, Inputs, Program, Reference

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEST = """
import unittest
class TestCases(unittest.TestCase):
    def setUp(self): self.two = 2
    def test_one(self): self.assertEqual(f(1), self.two)
    def test_two(self):
        for x in (2, 3):
            with self.subTest(x=x):
                self.assertEqual(f(x), x + 1)
    @unittest.skip("not here")
    def test_three(self): self.fail()
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[FunctionalGrader]:
    grader = FunctionalGrader(timeout_s=2.0, workers=1)
    await grader.open()
    yield grader
    await grader.close()


def reference(test: str = TEST, inputs: Inputs | None = None) -> Reference:
    return Reference(
        problem_id="big/0",
        entry_point="f",
        test=textwrap.dedent(test),
        canonical_solution="",
        style="unittest",
        inputs=inputs,
    )


async def grade(grader: FunctionalGrader, source: str, tests: Reference) -> Grade:
    result = await grader.grade(Program(source=source), tests)
    assert isinstance(result, Grade), result
    assert result.trust == "same-process"
    return result


GOOD = "def f(x): return x + 1"
BAD = "\ndef f(x): return 0\n"
PROGRAMS = {
    "right": (GOOD, "passed", ""),
    "wrong": (BAD, "wrong", "wrong"),
    "wrong in a subtest": ("def f(x): return 2", "wrong", "wrong"),
    "raises": ("def f(x): raise KeyError(x)", "error", "raised"),
    "asserts itself": ("def f(x): assert x > 9", "error", "raised"),
    "does not load": ("1 / 0", "error", "raised"),
    "sys.exit": ("import sys\ndef f(x): sys.exit(0)", "crashed", "exited"),
    "sys.exit when loaded": ("import sys\nsys.exit(0)", "crashed", "exited"),
    "os._exit": ("import os\ndef f(x): os._exit(0)", "crashed", "exited"),
    "loops": ("def f(x):\n    while True: pass", "timeout", "timeout-cpu"),
    "ends a test as unittest would": (
        "import unittest.case\ndef f(x): raise unittest.case._ShouldStop()",
        "error",
        "raised",
    ),
    "skips": ("import unittest\ndef f(x): raise unittest.SkipTest('easy')", "error", "raised"),
    "skips all but one": (
        "import unittest\ndef f(x):\n    if x > 1: raise unittest.SkipTest('hard')\n    return 2",
        "error",
        "raised",
    ),
    "no assertEqual": (
        "import unittest\nunittest.TestCase.assertEqual = lambda *_: None" + BAD,
        "wrong",
        "wrong",
    ),
    "other code in assertEqual": (
        "import unittest\nunittest.TestCase.assertEqual.__code__ = (lambda *_: None).__code__"
        + BAD,
        "wrong",
        "wrong",
    ),
    "no fail": (
        "import unittest\nunittest.TestCase.failureException = KeyError" + BAD,
        "wrong",
        "wrong",
    ),
    "a run that runs nothing": (
        "import unittest\nunittest.TestCase.run = lambda *_: None" + BAD,
        "wrong",
        "wrong",
    ),
    "a loader that finds nothing": (
        "import unittest\nunittest.TestLoader.loadTestsFromTestCase = lambda *_: []" + BAD,
        "wrong",
        "wrong",
    ),
    "a result that hears nothing": (
        "import unittest\nunittest.TestResult.addFailure = lambda *_: None\n"
        "unittest.result.TestResult.wasSuccessful = lambda *_: True" + BAD,
        "wrong",
        "wrong",
    ),
    "another unittest": (
        "import sys, types\nsys.modules['unittest'] = m = types.ModuleType('unittest')\n"
        "m.TestCase = object\nm.skip = lambda _: lambda f: f" + BAD,
        "wrong",
        "wrong",
    ),
    "test cases of its own": (
        BAD + "import unittest\nclass Mine(unittest.TestCase):\n    def test(self): pass\n",
        "wrong",
        "wrong",
    ),
    "an AssertionError of its own": (
        "import builtins\nbuiltins.AssertionError = KeyError" + BAD,
        "wrong",
        "wrong",
    ),
    "prints": (BAD + "print('OK'); print('P')", "wrong", "wrong"),
}


@pytest.mark.parametrize(("source", "verdict", "cause"), PROGRAMS.values(), ids=PROGRAMS)
async def test_a_suite_passes_only_by_its_tests(
    grader: FunctionalGrader, source: str, verdict: str, cause: str
) -> None:
    result = await grade(grader, source, reference())
    assert (result.verdict, result.cause) == (verdict, cause), result


EMPTY = {
    "no test": "import unittest\nclass T(unittest.TestCase): pass",
    "no test case": "x = 1",
    "all skipped": (
        "import unittest\n@unittest.skip('')\nclass T(unittest.TestCase):\n    def test(self): pass"
    ),
}


@pytest.mark.parametrize("test", EMPTY.values(), ids=EMPTY)
async def test_a_suite_that_runs_nothing_is_no_pass(grader: FunctionalGrader, test: str) -> None:
    result = await grade(grader, GOOD, reference(test))
    assert (result.verdict, result.cause) == ("error", "no-tests"), result


async def test_a_mock_patches_what_the_program_uses(grader: FunctionalGrader) -> None:
    test = """
        import unittest
        from unittest.mock import patch
        class TestCases(unittest.TestCase):
            @patch("__test__.os.getcwd", return_value="here")
            def test_where(self, _): self.assertEqual(f(), "here")
    """
    source = "import os\ndef f(): return os.getcwd()"
    assert (await grade(grader, source, reference(test))).passed
    assert not (await grade(grader, "import os\ndef f(): return ''", reference(test))).passed


async def test_inputs_beside_a_suite_have_to_hold_too(grader: FunctionalGrader) -> None:
    for expected, verdict in ((6, "passed"), (7, "wrong")):
        inputs = Inputs(args=((5,),), expected=(expected,))
        assert (await grade(grader, GOOD, reference(inputs=inputs))).verdict == verdict


async def test_what_reads_the_frames_of_the_suite_still_gets_through(
    grader: FunctionalGrader,
) -> None:
    """Why such a grade is called lower-trust: a program that goes for the suite's objects wins."""
    source = """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        if "result" in frame.f_locals:
            frame.f_locals["result"].fails = lambda *_: None
            frame.f_locals["result"].held = 1
        frame = frame.f_back
"""
    assert (await grade(grader, source, reference())).passed


async def test_a_skip_by_the_program_is_a_failure_whatever_its_file(
    grader: FunctionalGrader,
) -> None:
    inner = "def f(x):\n    if x == 1: return 2\n    raise unittest.SkipTest(1)"
    source = f"import unittest\nexec(compile({inner!r}, 'elsewhere', 'exec'))"
    test = TEST.replace('    @unittest.skip("not here")\n', "").replace("self.fail()", "pass")
    result = await grade(grader, source, reference(test))
    assert (result.verdict, result.cause) == ("error", "raised")
