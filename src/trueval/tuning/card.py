"""The model card: what a model is, what it was made of, how it was trained, and what it cannot do.

Every number in it comes from a record in the model's folder, or in the folder of a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trueval.tuning.curves import svg
from trueval.tuning.recipe import Recipe
from trueval.tuning.records import read_records
from trueval.tuning.scores import scores_section


def write_card(model: Path, runs: Sequence[Path] = ()) -> None:
    """Write README.md and loss.svg to a model's folder, with the scores of run folders.

    Raises `DataError` where the records are missing, and `ConfigError` for a run of another model.
    """
    found = read_records(model)
    sections = [
        _title(found.facts, found.recipe),
        scores_section(model, runs),
        _training(found.facts, found.recipe),
        _evaluations(found.curves),
        _data(found.facts, found.data),
        _limits(found.recipe),
    ]
    text = "\n".join(section for section in sections if section)
    (model / "README.md").write_text(text, encoding="utf-8")
    training = [(row["tokens"] / 1e6, row["loss"]) for row in found.curves if "loss" in row]
    held_out = [
        (row["tokens"] / 1e6, row["validation"]) for row in found.curves if "validation" in row
    ]
    lines = {"training": training, "validation": held_out}
    picture = svg(lines, x="million tokens", y="nats")
    (model / "loss.svg").write_text(picture, encoding="utf-8")


def _title(facts: Mapping[str, Any], recipe: Recipe) -> str:
    shape = recipe.shape
    begun = f", begun from {facts['adapted_from']}" if facts.get("adapted_from") else ""
    size = f"{facts['parameters'] / 1e6:.1f}M parameters"
    return f"""# {recipe.name}: a masked-diffusion code model, {size}

It fills gaps in Python: masks between a prefix and a suffix become tokens, in any order. The shape
is Qwen2's (hidden {shape.hidden}, {shape.layers} layers, {shape.heads}/{shape.kv_heads} heads,
MLP {shape.mlp}, {shape.vocabulary} tokens, rotary base {shape.theta:g}), with attention in both
directions; the output at position j-1 predicts token j{begun}.
"""


def _training(facts: Mapping[str, Any], recipe: Recipe) -> str:
    mixture, optimiser = recipe.mixture, recipe.optimiser
    step = facts["trained_tokens"] // max(1, facts["steps"])
    end = (
        ""
        if facts.get("finished")
        else "\n**The training was interrupted: this is no final model.**\n"
    )
    return f"""## Training
{end}
- {facts["trained_tokens"]:,} tokens in {facts["steps"]:,} steps of {step:,}, \
{facts["hidden_tokens"]:,} of them hidden and predicted; {facts["minutes"]} minutes on \
{facts["device"]}.
- Rows: {mixture.spans:.0%} with gaps of 1 to {mixture.lines} lines ({mixture.sub_line:.0%} of these
  a part of a line), the others one gap; {mixture.whole:.0%} with all of a gap hidden, the others a
  uniform share of it; {mixture.ends:.0%} with a gap longer than its text, which ends in `<end>`;
  {mixture.edits:.0%} with masks to double or to delete.
- A hidden token weighs min(n / hidden of its gap's n, {mixture.cap:g}).
- {optimiser.name}, rates {optimiser.rate:g} and {optimiser.rest_rate:g}, {optimiser.course}
  course, seed {recipe.seed}.
"""


def _evaluations(curves: Sequence[Mapping[str, Any]]) -> str:
    rows = [row for row in curves if "validation" in row]
    picked = rows if len(rows) <= 12 else [rows[i * (len(rows) - 1) // 11] for i in range(12)]
    table = "\n".join(
        f"| {row['tokens'] / 1e6:.1f}M | {row['validation']:.3f} | {row['line']:.3f}"
        f" | {row['exact']:.1%} of {row['lines']} |"
        for row in picked
    )
    return f"""## Curves

![Loss in training and on held-out packages](loss.svg)

On packages held out from training: nats for a hidden token of the objective's spans, nats for a
token of a line of which everything is hidden, and such lines put back exactly when their length in
tokens is known (greedy, surest tokens first).

| tokens | validation | line | exact |
|---|---|---|---|
{table}
"""


def _data(facts: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    if not manifest:
        return "## Data\n\nThe data's folder has no manifest.\n"
    packages = [each for each in manifest["packages"] if each.get("functions")]
    licences = Counter(str(each.get("licence")) for each in packages)
    train = [each for each in packages if each.get("split") == "train"]
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest["functions"].items())
    named = ", ".join(f"{each['name']} {each['version']} ({each.get('licence')})" for each in train)
    kept_out = ", ".join(f"{k} {v}" for k, v in manifest["contaminated"].items())
    absent = ", ".join(manifest["benchmarks_absent"])
    uncompared = f"Not compared with, as they were not on that machine: {absent}.\n" * bool(absent)
    known = facts.get("train_tokens")
    tokens = f"{known:,} tokens of train were there to learn from." if known else ""
    return f"""## Data

Functions of {len(packages)} permissively licensed packages, split by package: {counts}. {tokens}
Functions of the packages' own tests are among them, but not those of Python itself. Licences:
{", ".join(f"{name} {count}" for name, count in licences.most_common())}. NOTICE names every package
with its licence and home page, `data.json` is the data's manifest.

Functions left out because they share a long line or a body with a benchmark: {kept_out or "none"}.
{uncompared}
{_largest(packages)}
Trained on: {named or "nothing that the manifest names"}.
"""


def _largest(packages: Sequence[Mapping[str, Any]], most: int = 3) -> str:
    """How much of validation its largest packages are: a loss on few packages is theirs."""
    held_out = {p["name"]: p["functions"] for p in packages if p.get("split") == "validation"}
    total = sum(held_out.values())
    first = sorted(held_out.items(), key=lambda pair: -pair[1])[:most]
    if not total:
        return ""
    named = ", ".join(f"{name} {count / total:.0%}" for name, count in first)
    return f"Validation is {len(held_out)} packages; the largest of them are {named} of it.\n"


def _limits(recipe: Recipe) -> str:
    return f"""## Limits

- Python only; rows of at most {recipe.shape.context} tokens were seen.
- So small a model knows usual idioms and names near the gap; it does not reason about a task.
- It was not trained on chat or instructions, and says what public code says, faults included.
- Filling is best for gaps of 1 to {recipe.mixture.lines} lines inside a function.
"""
