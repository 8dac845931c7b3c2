"""Why samples failed, as `--json` prints it, as text, and as a section of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict

from trueval.report import wording
from trueval.report.rows import safe

NOT_FOR_TUNING = (
    "For reading only: whoever changes a prompt or a repair after looking at failures of the test "
    "split has tuned on it"
)
CODE_LINES = 30


class ShareFacts(TypedDict):
    """Samples of one class, or that pass in one kind of problem."""

    name: str
    meaning: str
    count: int
    of: int
    low: float
    high: float
    method: str
    cut: int


class ExampleFacts(TypedDict):
    """One failed sample."""

    problem_id: str
    sample_index: int
    detail: str
    code: str
    call: NotRequired[str]
    """The call that failed, what was expected of it and what came: only on request."""
    expected: NotRequired[str]
    got: NotRequired[str]


class FailureFacts(TypedDict):
    """The failures of one run."""

    name: str
    prompt: str
    line: str
    trusted: bool
    graded: int
    failed: int
    classes: list[ShareFacts]
    categories: list[ShareFacts]
    """Share that passes, by kind of problem; empty where the task's data is not at hand."""
    examples: dict[str, list[ExampleFacts]]
    notes: list[str]


def render_failures(facts: FailureFacts, *, width: int = 96) -> str:
    """One run's failures as text."""
    blocks = [
        list(_head(facts)),
        [_line(share, cut=True) for share in facts["classes"]],
        list(_categories(facts)),
        *(list(_examples(name, found, width)) for name, found in facts["examples"].items()),
        [f"note  {note}" for note in (*facts["notes"], f"{NOT_FOR_TUNING}.")],
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return wording.plain(text) + "\n"


def render_by_prompt(runs: list[FailureFacts]) -> str:
    """Several runs side by side, a column each under the name of its prompt."""
    names = list(dict.fromkeys(share["name"] for run in runs for share in run["classes"]))
    heads = [f"{index + 1}: {run['prompt']}" for index, run in enumerate(runs)]
    lines = [f"{index + 1}  {run['name']}" for index, run in enumerate(runs)]
    width = [max(14, len(head)) for head in heads]
    columns = "  ".join(f"{head:>{w}}" for head, w in zip(heads, width, strict=True))
    lines += ["", f"{'':<22}{columns}"]
    for name in ["passed", *names]:
        cells = [_cell(run, name) for run in runs]
        row = "  ".join(f"{cell:>{w}}" for cell, w in zip(cells, width, strict=True))
        lines.append(f"{name:<22}{row}")
    lines += ["", f"note  {NOT_FOR_TUNING}."]
    return wording.plain("\n".join(lines)) + "\n"


def failures_section(facts: FailureFacts) -> str:
    """A section of the page: classes and kinds of problem, the samples themselves being below."""
    if not facts["failed"]:
        return ""
    classes = "".join(
        f"<dt>{safe(share['name'])}</dt><dd>{safe(_share(share))}{safe(_cut(share))}"
        f'<br><span class="soft">{safe(share["meaning"])}; e.g. '
        f"{safe(_named(facts['examples'].get(share['name'], [])))}</span></dd>"
        for share in facts["classes"]
    )
    kinds = "".join(
        f"<dt>{safe(share['name'])}</dt><dd>{safe(_share(share))} pass</dd>"
        for share in facts["categories"]
    )
    kinds = f'<h3>Passed, by kind of problem</h3><dl class="facts">{kinds}</dl>' if kinds else ""
    return (
        '<section aria-labelledby="failures"><h2 id="failures">Failures</h2>'
        f'<p class="soft">{safe(NOT_FOR_TUNING)}.</p>'
        f'<dl class="facts">{classes}</dl>{kinds}</section>'
    )


def _head(facts: FailureFacts) -> Iterator[str]:
    if not facts["trusted"]:
        yield wording.UNTRUSTED
    yield f"{facts['name']}, prompt {facts['prompt']}, {facts['line']} line"
    yield f"{wording.count(facts['failed'])} of {wording.count(facts['graded'])} samples failed"


def _categories(facts: FailureFacts) -> Iterator[str]:
    if facts["categories"]:
        yield "passed, by kind of problem (words of its text; a problem may be of several)"
        yield from (f"  {_line(share)}" for share in facts["categories"])


def _line(share: ShareFacts, *, cut: bool = False) -> str:
    return f"{share['name']:<22} {_share(share)}{_cut(share) if cut else ''}"


def _share(share: ShareFacts) -> str:
    part = share["count"] / share["of"] if share["of"] else 0.0
    low, high = wording.percent(share["low"]), wording.percent(share["high"])
    return f"{share['count']:>5} of {share['of']} = {wording.percent(part)} [{low}, {high}]"


def _cut(share: ShareFacts) -> str:
    return f", {share['cut']} cut at max_tokens" if share["cut"] else ""


def _named(examples: list[ExampleFacts]) -> str:
    return ", ".join(f"{one['problem_id']} #{one['sample_index']}" for one in examples) or "none"


def _examples(name: str, examples: list[ExampleFacts], width: int) -> Iterator[str]:
    yield wording.ruled(name, width)
    for one in examples:
        yield f"{one['problem_id']} #{one['sample_index']}  {one['detail']}".rstrip()
        for key in ("call", "expected", "got"):
            if said := one.get(key):
                yield f"  {key:<9} {said}"
        lines = one["code"].splitlines()
        yield from (f"    {line}" for line in lines[:CODE_LINES])
        if len(lines) > CODE_LINES:
            yield f"    ... {len(lines) - CODE_LINES} more lines"


def _cell(run: FailureFacts, name: str) -> str:
    if name == "passed":
        count = run["graded"] - run["failed"]
    else:
        count = next((one["count"] for one in run["classes"] if one["name"] == name), 0)
    return f"{count} ({wording.percent(count / run['graded'] if run['graded'] else 0)})"
