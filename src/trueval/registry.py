"""Names to things: what ships, and what other packages add through entry points.

A package adds to a registry by an entry point in the group `trueval.<kind>`::

    [project.entry-points."trueval.backends"]
    my-server = "my_package.backend:MyBackend"
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
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
        "diffusion": "trueval.generate.diffusion:DiffusionBackend",
        "server": "trueval.generate.server:ServerBackend",
        "scripted": "trueval.generate.scripted:ScriptedBackend",
    },
    "recognisers": {
        "diffusion": "trueval.generate.models:is_diffusion",
    },
    "graders": {
        "functional": "trueval.grade.functional:FunctionalGrader",
    },
    "pipelines": {
        "none": "trueval.postprocess.named:NONE",
        "default": "trueval.postprocess.named:DEFAULT",
        "chat": "trueval.postprocess.named:CHAT",
        "repair": "trueval.postprocess.named:REPAIR",
        "post_v1": "trueval.postprocess.named:POST_V1",
        "post_v5": "trueval.postprocess.named:POST_V5",
    },
    "steps": {
        "think_blocks": "trueval.postprocess.clean:ThinkBlocks",
        "special_tokens": "trueval.postprocess.clean:SpecialTokens",
        "unfence": "trueval.postprocess.extract:Unfence",
        "unfence_first": "trueval.postprocess.extract:UNFENCE_FIRST",
        "unfence_last": "trueval.postprocess.extract:UNFENCE_LAST",
        "unfence_last_defining": "trueval.postprocess.extract:UNFENCE_LAST_DEFINING",
        "skip_preface": "trueval.postprocess.extract:SkipPreface",
        "echoed_prompt": "trueval.postprocess.extract:EchoedPrompt",
        "align_body": "trueval.postprocess.extract:AlignBody",
        "end_of_function": "trueval.postprocess.trim:EndOfFunction",
        "after_function": "trueval.postprocess.trim:AfterFunction",
        "repetition": "trueval.postprocess.repair:Repetition",
        "open_string": "trueval.postprocess.repair:OpenString",
        "missing_colon": "trueval.postprocess.repair:MissingColon",
        "empty_block": "trueval.postprocess.repair:EmptyBlock",
        "whole_statements": "trueval.postprocess.repair:WholeStatements",
        "missing_imports": "trueval.postprocess.imports:MissingImports",
    },
    "trackers": {
        "mlflow": "trueval.tracking.mlflow:MlflowTracker",
        "trackio": "trueval.tracking.trackio:TrackioTracker",
        "wandb": "trueval.tracking.wandb:WandbTracker",
    },
    "layouts": {
        "evalplus": "trueval.experiment.layouts.graded:evalplus",
        "human-eval": "trueval.experiment.layouts.graded:human_eval",
        "junit": "trueval.experiment.layouts.junit:junit",
        "markdown": "trueval.experiment.layouts.tables:markdown",
        "open-dllm": "trueval.experiment.layouts.graded:open_dllm",
        "parquet": "trueval.experiment.layouts.tables:parquet",
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
    names = BUILT_IN[kind]  # to look for others takes longer than many a command
    if name not in names and name not in (names := known(kind)):
        raise ConfigError(f"unknown {kind[:-1]} {name!r}", hint=did_you_mean(name, names))
    module, _, attribute = names[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def make(kind: str, name: str, given: Mapping[str, Any]) -> Any:
    """The thing of that name, made with these options.

    Raises `ConfigError` for a name or an option that nothing has, and for a value that is refused.
    """
    thing, what = resolve(kind, name), f"{kind[:-1]} {name!r}"
    known_options = inspect.signature(thing).parameters
    for key in given:
        if key not in known_options:
            hint = did_you_mean(key, known_options)
            raise ConfigError(f"{what} takes no option {key!r}", hint=hint)
    try:
        return thing(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: {error}") from error
