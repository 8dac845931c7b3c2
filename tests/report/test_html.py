from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.report_example import line, manifest, outcomes, repaired, sample, summary
from trueval.errors import DataError
from trueval.report.html import render_html
from trueval.report.rows import safe
from trueval.types import (
    ChatPrompt,
    Completion,
    FailingCall,
    Failure,
    Grade,
    InfillPrompt,
    Program,
    Prompt,
    Request,
    Sample,
    SamplingParams,
    TextPrompt,
    to_json,
)

VOID = {"meta", "input", "img", "br", "link"}
HOSTILE = "</pre></script></style></title><img src=x onerror=alert(1)>\" ' onload=x $style ${rows}"


class Page(HTMLParser):
    """What a browser would make of the page: its tags, attributes and texts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def test_a_page_is_well_formed_and_shows_the_score() -> None:
    source = render_html(summary(repaired=repaired(), notes=["a note"]), [sample()])
    page = Page(source)
    assert page.open == []
    text = " ".join(part for parts in page.texts.values() for part in parts)
    for fact in ("5.5%", "[2.9%, 10.1%]", "95% Wilson, 164 problems x 1", "pass@1 (repair)"):
        assert fact in text
    for fact in ("a note", "add_imports 3, dedent 1", "HumanEval/0 #0", "return a - b"):
        assert fact in text


def test_a_page_fetches_nothing_and_runs_only_its_own_script() -> None:
    source = render_html(summary(), [sample()])
    page = Page(source)
    assert not page.names() & {"img", "link", "iframe", "object", "embed", "form", "base"}
    assert not [
        a for _, attrs in page.tags for a in attrs if a in ("src", "style") or a[:2] == "on"
    ]
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs) or ""
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        body = re.findall(f"<{tag}>(.*?)</{tag}>", source, re.S)
        digest = base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()
        assert len(body) == 1
        assert f"{tag}-src 'sha256-{digest}'" in policy


def hostile_sample() -> dict[str, Any]:
    return sample(
        problem=HOSTILE,
        request={
            "problem_id": HOSTILE,
            "sample_index": HOSTILE,
            "prompt": {"messages": [[HOSTILE, HOSTILE]]},
        },
        completion={"text": HOSTILE, "completion_tokens": HOSTILE, "finish_reason": HOSTILE},
        program={"source": HOSTILE, "edits": [HOSTILE]},
        grade={"verdict": HOSTILE, "detail": HOSTILE},
        repaired={"source": HOSTILE, "edits": [HOSTILE]},
        repaired_grade={"verdict": HOSTILE, "detail": HOSTILE},
    )


def test_what_a_model_writes_stays_text() -> None:
    facts = summary(
        run_dir=HOSTILE,
        notes=[HOSTILE],
        raw=line(edits={HOSTILE: 1}),
        manifest=manifest(
            trusted=False,
            assists=[HOSTILE],
            command=HOSTILE,
            model={"id": HOSTILE, "revision": HOSTILE, "engine": HOSTILE},
        ),
        controls={**(summary()["controls"] or {}), "reasons": [HOSTILE]},
    )
    page = Page(render_html(facts, [hostile_sample()]))
    plain = Page(render_html(summary(), [sample()]))
    assert page.open == []
    assert page.names() - plain.names() <= {"ul", "li"}
    assert not [a for _, attrs in page.tags for a in attrs if a in ("src", "onerror", "onload")]
    assert HOSTILE in "".join(page.texts["pre"])


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_survives_as_text(text: str) -> None:
    page = Page(f"<pre>{safe(text)}</pre>")
    assert page.names() == {"pre"}
    safe(text).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\\u0000b"),
        ("x = 1 \u202e# 2", "x = 1 \\u202e# 2"),
        ("\ud83d", "\\ud83d"),
        ("a\r\nb\tc", "a\nb\tc"),
    ],
)
def test_what_cannot_be_seen_is_shown_by_its_number(text: str, shown: str) -> None:
    assert safe(text) == shown


def real(prompt: Prompt, **parts: Any) -> dict[str, Any]:
    request = Request(
        problem_id="p/1", sample_index=2, model="m", prompt=prompt, params=SamplingParams()
    )
    found = Sample(request=request, **{"completion": Completion(text="the answer"), **parts})
    return dict(json.loads(json.dumps(to_json(found))))


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        (TextPrompt(text="asked"), ["prompt"]),
        (ChatPrompt(messages=(("user", "asked"),)), ["prompt, user"]),
        (InfillPrompt(prefix="asked", suffix="end"), ["prompt, prefix", "prompt, suffix"]),
    ],
)
def test_every_kind_of_prompt_is_shown(prompt: Prompt, labels: list[str]) -> None:
    source = render_html(summary(), [real(prompt)])
    for label in labels:
        assert f"<h3>{label}</h3>" in source
    assert "<pre>\nasked</pre>" in source


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ({"grade": Grade(verdict="no_code")}, "no code"),
        ({"completion": Failure(stage="generate", message="503")}, "infra"),
        ({"grade": Failure(stage="grade", message="no memory")}, "infra"),
        ({}, "missing"),
        (
            {
                "grade": Grade(verdict="error"),
                "repaired": Program(source="r"),
                "repaired_grade": Grade(verdict="passed"),
            },
            "error → passed",
        ),
        (
            {
                "grade": Grade(verdict="error"),
                "repaired": Program(source="r"),
                "repaired_grade": Grade(verdict="error"),
            },
            "error (repaired)",
        ),
    ],
)
def test_every_outcome_is_shown(parts: dict[str, Any], verdict: str) -> None:
    assert f">{verdict}</span>" in render_html(summary(), [real(TextPrompt(text="a"), **parts)])


def test_a_failing_call_its_cause_and_lower_trust_are_shown_and_escaped() -> None:
    call = FailingCall(call="f('<b>')", expected="3", got="<i>")
    grade = Grade(verdict="wrong", cause="wrong", trust="same-process", failing_call=call)
    source = render_html(summary(), [real(TextPrompt(text="a"), grade=grade)])
    assert "call     f(&#x27;&lt;b&gt;&#x27;)\nexpected 3\ngot      &lt;i&gt;</pre>" in source
    assert "cause: wrong" in source
    assert "lower-trust" in source
    plain = render_html(summary(), [real(TextPrompt(text="a"), grade=Grade(verdict="passed"))])
    assert "lower-trust" not in plain
    assert "failing call" not in plain


def test_an_untrusted_run_says_so_first() -> None:
    source = render_html(summary(manifest=manifest(trusted=False)), [])
    assert "<title>UNTRUSTED: " in source
    assert source.index('role="alert"') < source.index("<h1>")
    assert "UNTRUSTED" not in render_html(summary(), [])


def test_without_every_verdict_there_is_no_score() -> None:
    source = render_html(summary(raw=line(estimates=[], outcomes=outcomes(infra=2, wrong=110))), [])
    assert "no score: 2 infra of 164 samples" in source
    assert 'class="value"' not in source


def test_a_page_of_many_samples_says_what_it_left_out() -> None:
    source = render_html(summary(), (sample(f"p/{i}") for i in range(7)), max_samples=5)
    assert source.count("<details ") == 5
    assert "The first 5 of 7 samples; all of them are in runs/first/samples.jsonl." in source


def test_no_page_without_a_manifest() -> None:
    with pytest.raises(DataError, match="no manifest"):
        render_html({**summary(), "manifest": {}}, [])
