from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.report.report_example import estimate, line, manifest, outcomes, repaired, summary
from trueval.errors import DataError
from trueval.report import wording
from trueval.report.summary import EstimateFacts, OutcomeFacts
from trueval.report.table import render_table
from trueval.types import VERDICTS, Estimate


def test_a_score_comes_with_its_interval_and_its_n() -> None:
    first = render_table(summary()).splitlines()[0]
    assert first == "pass@1 5.5% [2.9%, 10.1%] (95% Wilson, 164 problems x 1)"


@pytest.mark.parametrize(
    ("method", "basis"),
    [
        ("wilson", "95% Wilson, 164 problems x 1"),
        ("bootstrap", "95% cluster bootstrap, 164 problems x 1"),
        ("wilson over problems", "95% Wilson over problems, 164 problems x 1"),
        (
            "wilson; 3 infra counted as not passed",
            "95% Wilson, 164 problems x 1; 3 infra counted as not passed",
        ),
    ],
)
def test_the_method_is_named(method: str, basis: str) -> None:
    assert wording.basis(estimate(method=method)) == basis


def test_a_narrow_interval_gets_a_second_digit() -> None:
    assert wording.score(estimate(value=0.5, low=0.4987, high=0.5012)) == "50.00% [49.87%, 50.12%]"


def test_repair_has_a_line_of_its_own_with_the_count_of_each_edit() -> None:
    text = render_table(summary(repaired=repaired()))
    assert "pass@1          5.5% [2.9%, 10.1%]" in text
    assert "pass@1 (repair) 6.7% [3.8%, 11.6%]" in text
    assert "repairs     add_imports 3, dedent 1" in text
    assert "164 = 11 passed + 110 wrong + 38 error" in text
    assert "repair" not in render_table(summary())


def test_assists_stand_beside_the_metric() -> None:
    facts = summary(manifest=manifest(assists=["oracle length"]), repaired=repaired())
    text = render_table(facts)
    assert text.startswith("pass@1 (oracle length) ")
    assert "pass@1 (oracle length, repair) 6.7%" in text


def test_outcomes_are_printed_as_a_sum_that_holds() -> None:
    text = render_table(summary(raw=line(outcomes=outcomes(wrong=100, infra=7, missing=5))))
    match = re.search(r"^outcomes +(\d+) = (.+)$", text, re.M)
    assert match
    assert int(match[1]) == sum(int(part.split()[0]) for part in match[2].split(" + ")) == 164
    assert re.search(r"^infra +7$", text, re.M)


def test_without_every_verdict_the_reason_stands_where_the_score_would() -> None:
    short = line(estimates=[], outcomes=outcomes(wrong=107, infra=3, missing=2))
    text = render_table(summary(raw=short))
    assert text.startswith("no score: 3 infra, 2 missing of 164 samples\n")
    assert "%" not in text
    better = render_table(summary(repaired=short))
    assert "no score (repair): 3 infra, 2 missing of 164 samples" in better


def test_an_untrusted_run_says_so_first_and_why() -> None:
    controls = {
        **(summary()["controls"] or {}),
        "passed": False,
        "canonical_passed": 650,
        "reasons": ["stop ceiling 79.3%"],
    }
    text = render_table(summary(manifest=manifest(trusted=False), controls=controls))
    assert text.startswith("UNTRUSTED: ")
    assert text.splitlines()[1] == "  - stop ceiling 79.3%"
    assert "FAILED: 650 of 820 canonical answers pass, 0 of 1,148 cheats pass" in text
    assert "UNTRUSTED" not in render_table(summary())


@pytest.mark.parametrize("missing", [{}, None, {"config_digest": ""}])
def test_no_number_without_a_manifest(missing: Any) -> None:
    with pytest.raises(DataError, match="no manifest for first"):
        render_table(summary(manifest=missing))


@pytest.mark.parametrize(
    "fact",
    [
        "SmolLM2-135M-Instruct @12fd25f77366",
        "openvino, bf16, completion",
        "humaneval @ef7c1d5bd61e",
        "21,904 prompt, 17,560 completion",
        "27.4 s generating (640 tokens/s), 31.0 s in all",
        "passed: 820 canonical answers pass, 1,148 cheats fail (cached)",
        "runs/first",
        "trueval run --task humaneval --model smollm2-135m-instruct",
        "2 timed out beside other work and got their verdicts alone",
        "a note",
    ],
)
def test_the_table_says(fact: str) -> None:
    facts = summary(notes=["a note"], raw=line(outcomes=outcomes(rescued=2)))
    assert fact in render_table(json.loads(json.dumps(facts)))


@pytest.mark.parametrize("width", [80, 100])
def test_all_but_scores_and_command_fit_the_width(width: int) -> None:
    facts = summary(notes=["word " * 60], raw=line(edits={f"step_{i}": i for i in range(40)}))
    lines = render_table(facts, width=width).splitlines()[1:]
    assert all(len(text) <= width for text in lines if not text.startswith("again"))


def test_colour_changes_nothing_but_colour() -> None:
    facts = summary(manifest=manifest(trusted=False), notes=["n"], repaired=repaired())
    colored = render_table(facts, color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == render_table(facts)


def test_names_from_outside_cannot_drive_the_terminal() -> None:
    model = {"id": "evil\x1b[2J\nmodel", "revision": "x\x07"}
    command = "trueval\x1b]0;title"
    text = render_table(summary(manifest=manifest(model=model, command=command)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)


def test_the_schema_is_what_the_scores_hand_on() -> None:
    assert set(EstimateFacts.__annotations__) == set(Estimate.__dataclass_fields__)
    assert {*VERDICTS, "infra", "missing"} == set(wording.OUTCOMES)
    others = {"rescued", "problems", "samples_per_problem"}
    assert set(OutcomeFacts.__annotations__) == set(wording.OUTCOMES) | others


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (119.94, "119.9 s"), (185, "3 min 05 s"), (7619, "2 h 06 min")],
)
def test_seconds_are_readable(seconds: float, text: str) -> None:
    assert wording.seconds(seconds) == text
