"""What a checker has to know of a reference, as plain data that marshal takes."""

from __future__ import annotations

from trueval.types import Reference


def spec(reference: Reference) -> dict[str, object]:
    """All that its tests need: sent once to each worker."""
    inputs = reference.inputs
    given = (inputs.args, inputs.expected, inputs.atol, inputs.oracle) if inputs else None
    return {**dict(zip(_NAMES, _texts(reference), strict=True)), "inputs": given}


def key(reference: Reference) -> str:
    """A name for what `spec` gives, by content: two tasks may share a problem's name."""
    inputs = reference.inputs and reference.inputs.digest
    return f"{hash((_texts(reference), inputs)):x}"


_NAMES = ("entry", "prelude", "test", "style", "solution")


def _texts(reference: Reference) -> tuple[str, str, str, str, str]:
    inputs = reference.inputs
    # The checker needs the solution for its imports, or for what it answers.
    solves = reference.style == "asserts" or (inputs is not None and inputs.expected is None)
    return (
        reference.entry_point,
        reference.prelude,
        reference.test,
        reference.style,
        reference.canonical_solution if solves else "",
    )
