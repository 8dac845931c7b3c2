"""Names to things: what ships, and what other packages add through entry points.

A package adds to a registry by an entry point in the group `trueval.<kind>`::

    [project.entry-points."trueval.backends"]
    my-server = "my_package.backend:MyBackend"
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from trueval.errors import ConfigError, did_you_mean

BUILT_IN: dict[str, dict[str, str]] = {
    "tasks": {
        "demo": "trueval.tasks.demo:Demo",
        "humaneval": "trueval.tasks.humaneval:HumanEval",
        "humaneval+": "trueval.tasks.evalplus:HumanEvalPlus",
        "humaneval-infill-single": "trueval.tasks.infilling:SingleLine",
        "humaneval-infill-multi": "trueval.tasks.infilling:MultiLine",
        "humaneval-infill-random-span": "trueval.tasks.infilling:RandomSpan",
        "humaneval-infill-random-span-light": "trueval.tasks.infilling:RandomSpanLight",
        "jsonl": "trueval.tasks.jsonl:JsonlTask",
        "mbpp": "trueval.tasks.mbpp:MBPP",
        "mbpp+": "trueval.tasks.evalplus:MBPPPlus",
        "mbpp-sanitized": "trueval.tasks.mbpp:MBPPSanitized",
        "santacoder-fim": "trueval.tasks.santacoder:SantaCoderFIM",
        "santacoder-fim-java": "trueval.tasks.santacoder:SantaCoderJava",
        "santacoder-fim-js": "trueval.tasks.santacoder:SantaCoderJavaScript",
        "santacoder-fim-py": "trueval.tasks.santacoder:SantaCoderPython",
    },
    "backends": {
        "openvino": "trueval.generate.openvino:OpenVINOBackend",
        "llamacpp": "trueval.generate.llamacpp:LlamaCppBackend",
        "transformers": "trueval.generate.transformers:TransformersBackend",
        "server": "trueval.generate.server:ServerBackend",
        "scripted": "trueval.generate.scripted:ScriptedBackend",
    },
    "graders": {
        "functional": "trueval.grade.functional:FunctionalGrader",
    },
    "pipelines": {
        "none": "trueval.postprocess.pipeline:NONE",
        "default": "trueval.postprocess.pipeline:DEFAULT",
        "repair": "trueval.postprocess.pipeline:REPAIR",
    },
}
"""kind -> name -> "module:attribute"."""


@cache
def known(kind: str) -> dict[str, str]:
    """Every name of a kind, with where it lives; what ships wins over entry points."""
    from importlib.metadata import entry_points

    added = {point.name: point.value for point in entry_points(group=f"trueval.{kind}")}
    return {**added, **BUILT_IN[kind]}


def resolve(kind: str, name: str) -> Any:
    """The thing of that name, imported now. Raises `ConfigError` with a did-you-mean."""
    names = known(kind)
    if name not in names:
        raise ConfigError(f"unknown {kind[:-1]} {name!r}", hint=did_you_mean(name, names))
    module, _, attribute = names[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
