"""True scores for small code models, with proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trueval.errors import TruevalError
from trueval.types import (
    ChatPrompt,
    Completion,
    Estimate,
    FailingCall,
    Failure,
    Grade,
    InfillPrompt,
    Inputs,
    Manifest,
    Problem,
    Program,
    Reference,
    Request,
    Sample,
    SamplingParams,
    TaskData,
    TextPrompt,
)

if TYPE_CHECKING:
    from trueval.config import RunConfig
    from trueval.experiment.batch import GradingPool, agrade, grade
    from trueval.experiment.execute import execute, run_config
    from trueval.experiment.reward import CodeReward
    from trueval.score.intervals import cluster_bootstrap, wilson
    from trueval.score.passk import pass_at_k

__version__ = "0.1.0"

_LAZY = {
    "CodeReward": "trueval.experiment.reward",
    "GradingPool": "trueval.experiment.batch",
    "RunConfig": "trueval.config",
    "agrade": "trueval.experiment.batch",
    "cluster_bootstrap": "trueval.score.intervals",
    "execute": "trueval.experiment.execute",
    "pass_at_k": "trueval.score.passk",
    "run_config": "trueval.experiment.execute",
    "wilson": "trueval.score.intervals",
}

__all__ = [
    "ChatPrompt",
    "CodeReward",
    "Completion",
    "Estimate",
    "FailingCall",
    "Failure",
    "Grade",
    "GradingPool",
    "InfillPrompt",
    "Inputs",
    "Manifest",
    "Problem",
    "Program",
    "Reference",
    "Request",
    "RunConfig",
    "Sample",
    "SamplingParams",
    "TaskData",
    "TextPrompt",
    "TruevalError",
    "agrade",
    "cluster_bootstrap",
    "execute",
    "grade",
    "pass_at_k",
    "run_config",
    "wilson",
]


def __getattr__(name: str) -> Any:
    # On first use: `import trueval` and the command line start without pydantic or numpy.
    if name == "grade":
        # The stage of that name, which can be called. Python puts it here on any import of it, so
        # anything else would be there at some times only.
        import trueval.grade as stage

        return stage
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'trueval' has no attribute {name!r}")
