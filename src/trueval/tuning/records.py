"""The records in a model's folder: what its card is made of, and whose work it learned from.

MODEL/training.json: facts, recipe and curves of the training. MODEL/data.json: the data's
manifest. MODEL/NOTICE: the packages with their licences, as they ask for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trueval.errors import ConfigError, DataError
from trueval.tuning.recipe import Recipe, recipe_of

TRAINING, DATA, NOTICE = "training.json", "data.json", "NOTICE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What a model's folder says of it."""

    facts: dict[str, Any]
    recipe: Recipe
    curves: list[dict[str, Any]]
    data: dict[str, Any]
    """The data's manifest; empty where there was none."""


def write_records(
    out: Path,
    data: Path,
    facts: Mapping[str, Any],
    recipe: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]],
) -> None:
    """Write the records of a training on the folder `data` to the model's folder."""
    rows = ",\n  ".join(json.dumps(row) for row in curves)
    head = json.dumps({"facts": facts, "recipe": recipe}, indent=1).removesuffix("\n}")
    text = f'{head},\n "curves": [\n  {rows}\n ]\n}}\n'
    (out / TRAINING).write_text(text, encoding="utf-8")
    for name, here in (("NOTICE", NOTICE), ("manifest.json", DATA)):
        (out / here).unlink(missing_ok=True)
        if (data / name).is_file():
            shutil.copyfile(data / name, out / here)


def read_records(model: Path) -> Records:
    """The records in a model's folder. Raises `DataError` where it has none."""
    try:
        found = json.loads((model / TRAINING).read_text(encoding="utf-8"))
        data = model / DATA
        manifest = json.loads(data.read_text(encoding="utf-8")) if data.is_file() else {}
        return Records(
            facts=found["facts"],
            recipe=recipe_of(found["recipe"], where=f"{model / TRAINING}"),
            curves=found["curves"],
            data=manifest,
        )
    except OSError as error:
        raise DataError(
            f"{model} has no record of a training: {error.strerror or error}",
            hint="a folder that `trueval train model` made has one",
        ) from None
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(f"the records in {model} are none: {error!r}") from None
