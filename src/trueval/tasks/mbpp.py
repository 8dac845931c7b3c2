"""MBPP (Austin et al. 2021): short descriptions of functions, each with asserts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from trueval.errors import ConfigError, DataError, did_you_mean
from trueval.tasks import sources
from trueval.tasks.published import Published, lines_of
from trueval.tasks.python_source import asserted_function
from trueval.tasks.rows import Row, harmless_stops, make_task, read_rows, sha256
from trueval.types import Problem, Reference, TaskData

Split = Literal["test", "validation", "train", "prompt", "all"]

SPLITS: dict[str, range] = {
    "prompt": range(1, 11),
    "test": range(11, 511),
    "validation": range(511, 601),
    "train": range(601, 975),
    "all": range(1, 975),
}
"""By task number, as the authors have it, for both sets."""

STOP = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n<|/", "\n```")
"""The stop sequences of bigcode-evaluation-harness for MBPP."""


class MBPP:
    """Functions from one sentence each: 974 in all, of which 500 are the test split."""

    name = "mbpp"
    summary = "500 Python functions from a sentence and an assert (completion, test split)"
    published = sources.MBPP

    def __init__(self, *, file: str | None = None, split: Split = "test") -> None:
        """`file`: mbpp.jsonl, instead of the cached or fetched one."""
        self._file, self._split = file, _known(split)

    def load(self) -> TaskData:
        """The problems of the split. Raises `DataError` when the data cannot be used."""
        return _load(self.published, self._file, self._split, text="text", setup="test_setup_code")


class MBPPSanitized:
    """The functions whose tests and sentences were checked by hand: 427, of which 257 test."""

    name = "mbpp-sanitized"
    summary = "257 Python functions from a sentence and an assert, checked by hand (completion)"
    published = sources.MBPP_SANITIZED

    def __init__(self, *, file: str | None = None, split: Split = "test") -> None:
        """`file`: sanitized-mbpp.json or its rows as JSON Lines, instead of the cached one."""
        self._file, self._split = file, _known(split)

    def load(self) -> TaskData:
        """The problems of the split. Raises `DataError` when they are not as published."""
        return _load(self.published, self._file, self._split, text="prompt", setup="test_imports")


def mbpp_prompt(text: str, example: str) -> str:
    """The prefix to go on from: what to write and one of the tests, as InCoder and BigCode do.

    Without the test no model could know the function's name. It gives one answer away, in every
    published score as in ours.
    """
    return f'"""\n{text}\n{example}\n"""\n'


def _known(split: Split) -> Split:
    if split not in get_args(Split):
        raise ConfigError(f"MBPP has no split {split!r}", hint=did_you_mean(split, SPLITS))
    return split


def _load(
    published: Published, file: str | None, split: Split, *, text: str, setup: str
) -> TaskData:
    raw = lines_of(published, file)
    needs = ("task_id", text, "code", "test_list", setup)
    rows = read_rows(raw, where=file or published.task, needs=needs)
    rows = [row for row in rows if row["task_id"] in SPLITS[split]]
    return make_task(
        (_pair(row, text=text, setup=setup) for row in rows),
        # Scores of different splits are scores of different benchmarks.
        name=published.task if split == "test" else f"{published.task}-{split}",
        kind="completion",
        digest=sha256(raw),
        source=f"{published.provenance()}; {split} split",
        license=published.license,
        stop=harmless_stops(STOP, (_unix(row["code"]) for row in rows)),
    )


def _pair(row: Row, *, text: str, setup: str) -> tuple[Problem, Reference]:
    problem_id, code = f"MBPP/{row['task_id']}", _unix(row["code"])
    tests = [_unix(test) for test in row["test_list"]]
    entry_point = asserted_function(tests, code)
    if not entry_point:
        raise DataError(f"the asserts of {problem_id} call nothing that its solution defines")
    prefix = mbpp_prompt(_unix(row[text]), tests[0])
    problem = Problem(problem_id=problem_id, prefix=prefix, entry_point=entry_point)
    reference = Reference(
        problem_id=problem_id,
        entry_point=entry_point,
        test="\n".join([*_setup(row[setup]), *tests]) + "\n",
        canonical_solution=code,
        prelude=prefix,
        style="asserts",
    )
    return problem, reference


def _setup(lines: str | Sequence[str]) -> Iterator[str]:
    """What runs before the asserts: one text in the full set, a list in the sanitized one."""
    for line in [lines] if isinstance(lines, str) else lines:
        if line.strip():
            yield _unix(line)


def _unix(text: str) -> str:
    """With newlines as a model writes them: the full set has carriage returns."""
    return text.replace("\r\n", "\n")
