from __future__ import annotations

from dataclasses import replace

from trueval.types import ChatPrompt, InfillPrompt, Request, SamplingParams, TextPrompt, digest_of

REQUEST = Request(
    problem_id="Demo/0",
    sample_index=0,
    model="m@1",
    prompt=TextPrompt(text="def f():"),
    params=SamplingParams(),
)


def test_a_key_is_the_same_for_the_same_request() -> None:
    assert replace(REQUEST).key == REQUEST.key


def test_whatever_can_change_the_text_changes_the_key() -> None:
    others = [
        replace(REQUEST, problem_id="Demo/1"),
        replace(REQUEST, sample_index=1),
        replace(REQUEST, model="m@2"),
        replace(REQUEST, prompt=TextPrompt(text="def g():")),
        replace(REQUEST, prompt=ChatPrompt(messages=(("user", "def f():"),))),
        replace(REQUEST, prompt=InfillPrompt(prefix="def f():", suffix="")),
        replace(REQUEST, params=SamplingParams(temperature=0.2)),
        replace(REQUEST, params=SamplingParams(stop=("\n",))),
        replace(REQUEST, params=SamplingParams(seed=1)),
    ]
    assert len({REQUEST.key, *(other.key for other in others)}) == len(others) + 1


def test_a_digest_ignores_the_order_of_keys_and_takes_lone_surrogates() -> None:
    assert digest_of({"a": 1, "b": "\ud800"}) == digest_of({"b": "\ud800", "a": 1})
