"""One of several workers, in a process of its own: `python -m tests.tuning.stand_in DATA OUT`."""

from __future__ import annotations

import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.tuning.synthetic import tiny
from trueval.tuning.course import Ending
from trueval.tuning.dataset import TokenFile
from trueval.tuning.gradients import NotFiniteError, Workers, step_gradients
from trueval.tuning.net import working_copy
from trueval.tuning.recipe import Recipe
from trueval.tuning.tokenizer import SourceTokenizer
from trueval.tuning.trainer import Trainer
from trueval.tuning.vocabulary import vocabulary_of


def trainer(data: Path, out: Path, recipe: Recipe, **options: Any) -> Trainer:
    vocabulary = vocabulary_of(SourceTokenizer.load(data / "tokenizer.json"))
    train, validation = (TokenFile(data, split) for split in ("train", "validation"))
    return Trainer(recipe, vocabulary, train, validation, out, **options)


def observed(data: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The gradients of the first step, and an evaluation."""
    made = trainer(data, out, tiny(), dtype=torch.float32, **options)
    # Fresh networks have outputs of nothing, and so hardly a gradient inside.
    random = torch.Generator().manual_seed(0)
    for name, weight in made.master.items():
        if name.endswith(("out", "down")):
            weight.copy_(0.1 * torch.randn(weight.shape, generator=random))
    working = working_copy(made.master, torch.float32, made.device)
    passes = range(made.workers.rank, 2, made.workers.count)
    sums = step_gradients(working, made.recipe.shape, made._feed, passes, made.workers)
    return {
        "loss": sums.loss,
        "gradients": sums.gradients,
        "evaluation": astuple(made._evaluator(working)),
    }


def main(data: Path, out: Path) -> None:
    torch.set_num_threads(1)
    workers = Workers.from_environment(torch.device("cpu"))
    found = observed(data, out / "two", workers=workers)
    recipe = tiny(evaluate_every=0.0)
    made = trainer(data, out / "two", recipe, ending=Ending(steps=3, minutes=60), workers=workers)
    made._clock = 10_000.0 * workers.rank
    made.run()
    found["steps"] = made.course.step
    # Only pass 7, the second worker's, is broken: a document that none of the others has.
    make, made._feed.make = made._feed.make, lambda number: _broken(make(number), number == 7)  # type: ignore[method-assign]
    try:
        made._step()
    except NotFiniteError as error:
        found["said"] = str(error)
    torch.save(found, out / f"{workers.rank}.pt")
    workers.part()


def _broken(rows: Any, broken: bool) -> Any:
    weights = np.where(rows.weights > 0, np.float32("nan"), np.float32(0))
    return rows._replace(weights=weights) if broken else rows


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
