"""What a checker has to know of a reference, as plain data that marshal takes."""

from __future__ import annotations

from trueval.types import Reference


def spec(reference: Reference) -> dict[str, object]:
    """All that its tests need: sent once to each worker."""
    inputs = reference.inputs
    given = (inputs.args, inputs.expected, inputs.atol, inputs.oracle) if inputs else None
    return {**_texts(reference), "inputs": given}


def key(reference: Reference) -> str:
    """A name for what `spec` gives, by content: two tasks may share a problem's name."""
    inputs = reference.inputs and reference.inputs.digest
    return f"{hash((*_texts(reference).values(), inputs)):x}"


def _texts(reference: Reference) -> dict[str, str]:
    inputs = reference.inputs
    # The checker needs the solution for its imports, or for what it answers.
    solves = reference.style == "asserts" or (inputs is not None and inputs.expected is None)
    return {
        "entry": reference.entry_point,
        "prelude": reference.prelude,
        "test": reference.test,
        "style": reference.style,
        "solution": reference.canonical_solution if solves else "",
    }
