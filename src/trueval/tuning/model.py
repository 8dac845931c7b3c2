"""`trueval train model` in two calls: make the trainer, and write its model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from trueval import __version__
from trueval.errors import ConfigError
from trueval.tuning.adapt import adapted
from trueval.tuning.batches import Tokens
from trueval.tuning.card import write_card
from trueval.tuning.checkpoint import STATE, export
from trueval.tuning.course import Course, Ending
from trueval.tuning.dataset import TokenFile
from trueval.tuning.encode import check_tokens
from trueval.tuning.evaluation import Evaluation
from trueval.tuning.gradients import Workers
from trueval.tuning.recipe import load_recipe
from trueval.tuning.records import write_records
from trueval.tuning.tokenizer import SourceTokenizer, file_sha256
from trueval.tuning.trainer import Trainer
from trueval.tuning.vocabulary import vocabulary_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a model is made of, for its card."""

    data: Path
    tokenizer: Path
    facts: dict[str, Any]
    """What a resumed training must share: digest of the tokenizer, size of the data, `--from`."""


def prepare(
    data: Path,
    recipe: str,
    out: Path,
    *,
    changes: tuple[str, ...] = (),
    source: Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    device: str = "auto",
    compiled: bool = True,
    watch: Callable[[Course], None] = lambda _: None,
    said: Callable[[Course, Evaluation], None] = lambda _, __: None,
) -> tuple[Trainer, Origin]:
    """The trainer of a recipe on a data folder. Raises `ConfigError` for what cannot be meant."""
    if not resume and (out / STATE).exists():
        raise ConfigError(
            f"{out} holds a training already",
            hint="--resume goes on with it, or name another --out",
        )
    made = load_recipe(recipe, changes=changes)
    where = _device(device)
    start = None
    train: Tokens
    validation: Tokens
    if source is not None:
        start = adapted(source, data, made)
        made, vocabulary, tokenizer = start.recipe, start.vocabulary, start.tokenizer
        train, validation = start.train, start.validation
    else:
        tokenizer = data / "tokenizer.json"
        check_tokens(data)
        vocabulary = vocabulary_of(SourceTokenizer.load(tokenizer))
        train, validation = TokenFile(data, "train"), TokenFile(data, "validation")
        made = replace(made, shape=replace(made.shape, vocabulary=vocabulary.size))
    origin = Origin(
        data=data,
        tokenizer=tokenizer,
        facts={
            "tokenizer": file_sha256(tokenizer),
            "train_tokens": int(train.lengths.sum()),
            "adapted_from": source.resolve().name if source else None,
        },
    )
    ending = Ending(steps=steps or (None if minutes else made.steps), minutes=minutes)
    trainer = Trainer(
        made,
        vocabulary,
        train,
        validation,
        out,
        ending=ending,
        device=where,
        workers=Workers.from_environment(where),
        start=start.weights if start else None,
        origin=origin.facts,
        compiled=compiled and where.type == "cuda",
        watch=watch,
        said=said,
    )
    if resume:
        trainer.resume()
    return trainer, origin


def _device(name: str) -> torch.device:
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"unknown device {name!r}", hint="auto, cpu or cuda")
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ConfigError("no CUDA device is to be seen", hint="--device cpu")
    if name == "cpu" or not found:
        return torch.device("cpu")
    import os

    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def write_model(trainer: Trainer, origin: Origin) -> dict[str, Any]:
    """Write the model and its card to the trainer's folder: the facts of its training."""
    course, recipe, last = trainer.course, trainer.recipe, trainer.evaluation
    facts: dict[str, Any] = {
        "recipe": recipe.name,
        "parameters": recipe.shape.parameters,
        "steps": course.step,
        "trained_tokens": course.tokens,
        "hidden_tokens": course.hidden,
        "minutes": round(course.seconds / 60, 2),
        "device": _device_name(trainer.device, trainer.workers),
        "finished": course.done,
        "trueval": __version__,
        **origin.facts,
    }
    if last is not None:
        facts |= {
            "validation_loss": _number(last.validation),
            "line_loss": _number(last.line),
            "line_exact": _number(last.exact),
            "lines": last.lines,
        }
    export(
        trainer.out,
        trainer.master,
        recipe.shape,
        trainer.vocabulary,
        origin.tokenizer,
        facts | {"details": recipe.as_dict()},
        edits=recipe.mixture.edits > 0,
    )
    write_records(trainer.out, origin.data, facts, recipe.as_dict(), trainer.curves.read())
    write_card(trainer.out)
    return facts


def _device_name(device: torch.device, workers: Workers) -> str:
    each = f"{workers.count} x " if workers.count > 1 else ""
    if device.type == "cuda":
        return f"{each}{torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{each}CPU, {threads} thread{'s' * (threads != 1)}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)
