"""`trueval failures`: why the samples of a run failed."""

from __future__ import annotations

from collections.abc import Mapping

from trueval.errors import TruevalError
from trueval.experiment.benchmark import load_benchmark
from trueval.experiment.stored import StoredRun
from trueval.report.failures import ExampleFacts, FailureFacts, ShareFacts
from trueval.score.failures import FailureTally, Share
from trueval.score.taxonomy import CLASSES
from trueval.types import Grade, Problem, Sample

CODE_CHARS = 4_000
NO_DATA = "the task's data is not at hand as the run had it: no kinds of problem"


def failures_of(run: StoredRun, *, expected: bool = False, repaired: bool = False) -> FailureFacts:
    """Read a run's samples once and count why they failed.

    With `expected`, examples of wrong answers say which call failed, what was expected and what
    came: that tells answers of the benchmark.
    """
    problems = _problems(run)
    tally = FailureTally(problems=problems, repaired=repaired)
    for sample in run.samples():
        tally.add(sample)
    return failure_facts(
        tally,
        name=run.name,
        manifest=run.manifest,
        expected=expected,
        notes=[] if problems else [NO_DATA],
    )


def failure_facts(
    tally: FailureTally,
    *,
    name: str,
    manifest: Mapping[str, object],
    expected: bool = False,
    code: bool = True,
    notes: list[str] | None = None,
) -> FailureFacts:
    """The facts of a tally; without `code`, examples are named and not shown."""
    config = manifest.get("config")
    prompt = config.get("prompt", "") if isinstance(config, Mapping) else ""
    return FailureFacts(
        name=name,
        prompt=str(prompt),
        line="repaired" if tally.repaired else "raw",
        trusted=bool(manifest.get("trusted")),
        graded=tally.graded,
        failed=tally.failed,
        classes=[_share(one, CLASSES[one.name]) for one in tally.classes()],
        categories=[_share(one, "") for one in tally.by_category()],
        examples={
            one.name: [
                _example(sample, tally.repaired, expected=expected, code=code)
                for sample in tally.examples[one.name]
            ]
            for one in tally.classes()
        },
        notes=notes or [],
    )


def _problems(run: StoredRun) -> Mapping[str, Problem]:
    """The task's problems, when they can be had and are those of the run."""
    config, data = run.manifest["config"], run.manifest["data"]
    try:
        task = load_benchmark(config.get("task", ""), config.get("task_options") or {})
    except TruevalError:
        return {}
    if task.digest != data.get("digest"):
        return {}
    return {problem.problem_id: problem for problem in task.problems}


def _share(share: Share, meaning: str) -> ShareFacts:
    return ShareFacts(
        name=share.name,
        meaning=meaning,
        count=share.count,
        of=share.of,
        low=share.low,
        high=share.high,
        method=share.method,
        cut=share.cut,
    )


def _example(sample: Sample, repaired: bool, *, expected: bool, code: bool) -> ExampleFacts:
    use_repaired = repaired and sample.repaired is not None
    program = sample.repaired if use_repaired else sample.program
    grade = sample.repaired_grade if use_repaired else sample.grade
    assert isinstance(grade, Grade)
    # The message of an assertion is the test's, and may quote what it expects.
    told = expected or grade.verdict != "wrong"
    facts = ExampleFacts(
        problem_id=sample.request.problem_id,
        sample_index=sample.request.sample_index,
        detail=grade.detail if told else "",
        code=_code(sample, program.source if program else "") if code else "",
    )
    if expected and (call := grade.failing_call):
        facts |= {"call": call.call, "expected": call.expected, "got": call.got}
    return facts


def _code(sample: Sample, source: str) -> str:
    text = source or getattr(sample.completion, "text", "")
    return text[:CODE_CHARS] + ("\n..." if len(text) > CODE_CHARS else "")
