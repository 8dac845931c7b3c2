"""The model that comes with trueval, as a user has it: from the package, without a network."""

from __future__ import annotations

import json
import re

import pytest

from trueval.generate.models import catalogue, local_checkpoint, resolve_model
from trueval.paths import shipped_model

NAMES = [name for name, entry in catalogue().items() if entry.shipped]
MOST_MB = 80


def test_one_ships() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_folder_has_weights_card_licences_and_records(name: str) -> None:
    folder = shipped_model(name)
    assert local_checkpoint(resolve_model(name)) == str(folder)
    there = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md", "NOTICE"} <= there
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_MB * 2**20


@pytest.mark.parametrize("name", NAMES)
def test_its_card_says_what_its_records_say(name: str) -> None:
    folder = shipped_model(name)
    card = (folder / "README.md").read_text("utf-8")
    trained = json.loads((folder / "config.json").read_text("utf-8"))["trueval_training"]
    assert trained["finished"]
    assert f"{trained['trained_tokens']:,} tokens" in card
    assert "## Scores" in card and "## Limits" in card and "humaneval-infill-single" in card
    refused = re.compile(r"\b(A?GPL|LGPL|MPL|EPL|CC-BY)", re.IGNORECASE)
    licences = re.findall(r"^  licence: (.*)$", (folder / "NOTICE").read_text("utf-8"), re.M)
    assert len(licences) > 100 and not [one for one in licences if refused.search(one)]


@pytest.mark.parametrize("name", NAMES)
def test_it_puts_lines_back(name: str) -> None:
    pytest.importorskip("torch")
    diffusion = pytest.importorskip("trueval.diffusion")
    from trueval.tasks.infilling import SingleLine

    task = SingleLine().load()
    problems = task.problems[::12]
    middles = [task.references[one.problem_id].canonical_solution for one in problems]
    infiller = diffusion.load(name)
    found = infiller.fill_many(
        [(one.prefix, one.suffix) for one in problems],
        length=[len(infiller.model.encode(middle)) for middle in middles],
        settings=diffusion.Settings(sampler="entropy", temperature=0.0),
    )
    same = sum(
        one.text.strip() == middle.strip() for one, middle in zip(found, middles, strict=True)
    )
    # What takes no model gets 0.1 % of them (docs/infilling.md).
    assert same / len(problems) > 0.02
