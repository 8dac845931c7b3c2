"""Samples to lines of JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trueval.types import (
    ChatPrompt,
    Completion,
    DiffusionParams,
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


def sample_to_line(sample: Sample) -> str:
    """One line of `samples.jsonl`, with its newline. Plain ASCII: lone surrogates survive."""
    return json.dumps(to_json(sample), separators=(",", ":")) + "\n"


def sample_from_json(data: Mapping[str, Any]) -> Sample:
    """The sample of a parsed line. Raises KeyError, TypeError or ValueError when it is none."""
    request = dict(data["request"])
    key = request.pop("key")
    params = dict(request["params"])
    if params.get("diffusion"):
        params["diffusion"] = DiffusionParams(**params["diffusion"])
    params["stop"] = tuple(params["stop"])
    request["params"] = SamplingParams(**params)
    request["prompt"] = _prompt(request["prompt"])
    sample = Sample(
        request=Request(**request),
        completion=_either(Completion, data["completion"]),
        program=_program(data["program"]),
        grade=_either(Grade, data["grade"]) if data["grade"] else None,
        repaired=_program(data["repaired"]),
        repaired_grade=_either(Grade, data["repaired_grade"]) if data["repaired_grade"] else None,
    )
    if sample.request.key != key:
        raise ValueError(f"key {key} does not fit its request")
    return sample


def completion_from_json(data: Mapping[str, Any]) -> Completion:
    """A completion from `to_json`. Raises KeyError or TypeError when it is none."""
    return Completion(**data)


def grade_from_json(data: Mapping[str, Any]) -> Grade:
    """A grade from `to_json`. Raises KeyError or TypeError when it is none."""
    grade: Grade = _either(Grade, data)
    return grade


def _prompt(data: Mapping[str, Any]) -> Prompt:
    if "text" in data:
        return TextPrompt(**data)
    if "messages" in data:
        return ChatPrompt(messages=tuple((role, content) for role, content in data["messages"]))
    return InfillPrompt(**data)


def _program(data: Mapping[str, Any] | None) -> Program | None:
    return Program(**{**data, "edits": tuple(data["edits"])}) if data else None


def _either(kind: type[Any], data: Mapping[str, Any]) -> Any:
    if "stage" in data:
        return Failure(**data)
    if call := data.get("failing_call"):
        data = {**data, "failing_call": FailingCall(**call)}
    return kind(**data)
