"""Why samples failed, and on what kind of problem. For people to look at, never for tuning on.

Nothing that tunes may read it: which test problems fail, and how, is knowledge of the test split.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping

from trueval.types import ChatPrompt, Completion, Failure, Grade, Problem, Program, Sample

CLASSES: Mapping[str, str] = {
    "wrong answer": "it ran to its end, and a test did not hold",
    "syntax: indentation": "the program does not parse: indentation",
    "syntax: bracket": "the program does not parse: a bracket never closed, or closed twice",
    "syntax: string": "the program does not parse: a string without an end",
    "syntax: character": "the program does not parse: a character or number that is no Python",
    "syntax: outside": "the program does not compile: return, await or the like at a wrong place",
    "syntax: other": "the program does not parse: anything else, often prose among code",
    "name": "a name that nothing defines",
    "import": "a module or name that cannot be imported",
    "type": "an operation on the wrong type, or a call with the wrong arguments",
    "attribute": "an attribute or method that is not there",
    "index or key": "an index or key that is not there",
    "value": "a value that a function does not take",
    "arithmetic": "division by zero, overflow",
    "recursion": "recursion without an end",
    "other exception": "any other exception",
    "answer unusable": "the test could not work with what came back",
    "unsupported value": "what came back is no plain data",
    "timeout": "no end within the time given",
    "out of memory": "more memory than given",
    "exit": "it ended its own process",
    "crash": "its process was killed by a signal, or broke off",
    "truncated": "cut at max_tokens before it was a whole program",
    "stub": "only `pass`, `...`, a docstring or NotImplementedError",
    "empty": "no text at all",
    "refusal": "a chat answer without code",
    "no code": "an answer without code",
    "unclear": "not enough is recorded to say",
}
"""Class of failure -> what it means, in the order of reports."""

_SYNTAX = (
    # CPython's own messages, 3.11 and later; the first that fits.
    ("syntax: bracket", r"was never closed|unmatched|does not match opening"),
    ("syntax: string", r"unterminated|EOL while|EOF while scanning triple"),
    ("syntax: character", r"invalid (?:non-printable )?character|invalid decimal|invalid \w+ lit"
     r"|leading zeros|unexpected character after line"),
    ("syntax: outside", r"outside (?:async )?(?:function|loop)|not properly in loop"),
)  # fmt: skip
_EXCEPTIONS: Mapping[str, str] = {
    "IndentationError": "syntax: indentation",
    "TabError": "syntax: indentation",
    "NameError": "name",
    "UnboundLocalError": "name",
    "ImportError": "import",
    "ModuleNotFoundError": "import",
    "TypeError": "type",
    "AttributeError": "attribute",
    "IndexError": "index or key",
    "KeyError": "index or key",
    "ValueError": "value",
    "UnicodeDecodeError": "value",
    "UnicodeEncodeError": "value",
    "ZeroDivisionError": "arithmetic",
    "OverflowError": "arithmetic",
    "FloatingPointError": "arithmetic",
    "ArithmeticError": "arithmetic",
    "RecursionError": "recursion",
    "MemoryError": "out of memory",
    "NotImplementedError": "stub",
    "SystemExit": "exit",
}
_CAUSES: Mapping[str, str] = {
    "raised-in-test": "answer unusable",
    "unsupported-value": "unsupported value",
    "exited": "exit",
    "signal": "crash",
    "protocol": "crash",
    "no-tests": "unclear",
}
_VERDICTS: Mapping[str, str] = {
    "timeout": "timeout",
    "out_of_memory": "out of memory",
    "crashed": "crash",
    "wrong": "wrong answer",
}
_UNFINISHED = ("syntax", "stub", "empty", "refusal", "no code")
"""What a text cut at max_tokens is counted as `truncated` for; a wrong answer stays one."""

CATEGORIES: tuple[tuple[str, str], ...] = (
    ("strings", r"\bstr\b|\bstrings?\b|\bcharacters?\b|\bletters?\b|\bwords?\b|\bsubstring"
     r"|\bvowels?\b|\bpalindrom|\btext\b|\bprefix"),
    ("lists", r"\blist\b|\barrays?\b|\belements?\b|\btuples?\b|\blst\b|\bsequence\b"),
    ("numbers", r"\bint\b|\bfloat\b|\bintegers?\b|\bnumbers?\b|\bdigits?\b|\bdecimal"),
    ("sorting", r"\bsort|\bascending\b|\bdescending\b|\border(?:ed|ing)\b|\bmedian\b"),
    ("number theory", r"\bprimes?\b|\bdivis|\bfactor|\bgcd\b|\bfibonacci|\bmodulo\b|\bmodulus\b"),
    ("mappings and sets", r"\bdict|\bmapping\b|\bkeys?\b|\bsets?\b|\bunique\b|\bdistinct\b"),
    ("geometry", r"\btriangle|\brectangle|\bcircle|\barea\b|\bperimeter|\bcoordinates?\b|\bangle"),
    ("matrices", r"\bmatri|\bgrid\b|\brows?\b|\bcolumns?\b|list\[list"),
    ("parsing", r"\bparenthes|\bbrackets?\b|\bparse|\bregex|\bnested\b|\bencod|\bdecod|\bformat\b"),
    ("dates and bits", r"\bdates?\b|\bbinary\b|\bhex|\bbits?\b|\bbase \w+"),
)  # fmt: skip
"""Category -> what a problem's visible text has to contain. A problem may stand in several."""
OTHER = "other"


def failure_class(sample: Sample, *, entry_point: str = "", repaired: bool = False) -> str | None:
    """The class of a sample's failure; None for one that passed or has no verdict.

    Decided by verdict and cause, then by the name of the exception in the grade's detail: a
    program that raises a lie mislabels nothing but itself. A stub is found by parsing the program,
    in the function `entry_point` or the last one there is.
    """
    use_repaired = repaired and sample.repaired is not None
    program, grade = (
        (sample.repaired, sample.repaired_grade) if use_repaired else (sample.program, sample.grade)
    )
    completion = sample.completion
    if isinstance(completion, Failure) or not isinstance(grade, Grade) or grade.passed:
        return None
    found = _class(completion, program, grade, chat=isinstance(sample.request.prompt, ChatPrompt))
    if found in ("wrong answer", "answer unusable", "type") and _is_stub(program, entry_point):
        found = "stub"
    if completion.finish_reason == "length" and found.startswith(_UNFINISHED):
        return "truncated"
    return found


def categories(problem: Problem) -> tuple[str, ...]:
    """What kinds of problem this is, by words in the text that a model sees; at least `other`."""
    text = f"{problem.prefix}\n{problem.suffix}"
    found = tuple(name for name, words in CATEGORIES if re.search(words, text, re.IGNORECASE))
    return found or (OTHER,)


def category_names() -> Iterable[str]:
    """All categories, in the order of reports."""
    return (*(name for name, _ in CATEGORIES), OTHER)


def _class(completion: Completion, program: Program | None, grade: Grade, *, chat: bool) -> str:
    if program is not None and program.middle is not None and not program.middle.strip():
        return "empty"
    if grade.verdict == "no_code":
        if not completion.text.strip():
            return "empty"
        return "refusal" if chat else "no code"
    if grade.cause in _CAUSES:
        return _CAUSES[grade.cause]
    if grade.verdict in _VERDICTS:
        return _VERDICTS[grade.verdict]
    name, _, message = grade.detail.partition(":")
    if name == "SyntaxError":
        return next((kind for kind, said in _SYNTAX if re.search(said, message)), "syntax: other")
    if found := _EXCEPTIONS.get(name):
        return found
    return "other exception" if re.fullmatch(r"[A-Za-z_][\w.]*", name) else "unclear"


def _is_stub(program: Program | None, entry_point: str) -> bool:
    """Whether the function does nothing at all."""
    if program is None:
        return False
    if program.middle is not None:
        return program.middle.strip() in ("pass", "...")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A model's invalid escapes are no concern of ours.
            tree = ast.parse(program.source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    # The last of a name is the one that counts, as when Python runs it.
    named = [node for node in functions if node.name == entry_point] or functions
    return bool(named) and all(_does_nothing(node) for node in named[-1].body)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass) or constant
