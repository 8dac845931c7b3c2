"""Small files in the formats of benchmarks that are not here: same fields, our own problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SANTACODER_COLUMNS = ("name", "language", "prompt", "suffix", "canonical_solution", "tests")

PY_PROMPT = """from typing import List

def shift(n: int) -> int:
    return n + 1

def total(numbers: List[int]) -> int:
    \"\"\"The sum of all numbers, and one.\"\"\"
"""
PY_BODY = """    result = 0
    for number in numbers:

        result += number
    return shift(result)
"""
PY_TESTS = """def check(candidate):
    assert candidate([]) == shift(0)
    assert candidate([1, 2]) == 4

def test_check():
    check(total)

test_check()
"""
JS_PROMPT = "// Twice a number.\nfunction twice(n){\n"
JS_BODY = "  let m = n;\n  return m + m;\n}\n\n"
JAVA_PROMPT = "class Problem {\n    public static int twice(int n) {\n"
JAVA_BODY = "        int m = n;\n        return m + m;\n    }\n}"


def santacoder_rows() -> list[dict[str, str]]:
    """Every hole of three small programs, joined as the benchmark joins them."""
    return [
        *_holes("py", "total", PY_PROMPT, PY_BODY, PY_TESTS),
        *_holes("js", "twice", JS_PROMPT, JS_BODY, "assert.equal(twice(2), 4);\n"),
        *_holes("java", "twice", JAVA_PROMPT, JAVA_BODY, "assert(twice(2) == 4);\n"),
    ]


def _holes(
    language: str, name: str, prompt: str, body: str, tests: str
) -> Iterator[dict[str, str]]:
    lines = body.split("\n")
    offset = len(prompt.split("\n"))
    for i, line in enumerate(lines):
        if line.strip():
            yield {
                "name": f"humaneval-HumanEval_0_{name}.json-L{i + offset}",
                "language": language,
                "prompt": prompt + "\n".join(lines[:i]),
                "suffix": "\n".join(lines[i + 1 :]),
                "canonical_solution": line,
                "tests": tests,
            }


def write_jsonl(file: Path, rows: list[dict[str, Any]]) -> str:
    """The rows as JSON Lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> str:
    """The rows as parquet, as the hub has them."""
    import importlib

    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(rows), file)
    return str(file)
