from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tuning.synthetic import Documents
from trueval.errors import DataError
from trueval.tuning.batches import Batches, divides_well

DOCUMENTS = Documents([*range(10, 200), 1000, 2000])


def batches(**options: int) -> Batches:
    return Batches(DOCUMENTS, **{"size": 360, "context": 120, "seed": 0, **options})


def test_every_pass_has_the_same_number_of_tokens_and_no_padding() -> None:
    made = batches()
    for number in range(made.passes):
        rows = made.rows(number)
        assert len(rows.tokens) * rows.length == 360
        assert rows.tokens.shape[1] == rows.length <= 120
        assert (rows.available == rows.length).all()


def test_rows_are_stretches_of_their_documents() -> None:
    made = batches()
    for number in range(made.passes):
        rows = made.rows(number)
        for row, document in zip(rows.tokens, rows.documents, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(DOCUMENTS[int(document)], len(row))
            assert (windows == row).all(axis=1).any()


def test_an_epoch_sees_every_document_that_is_long_enough() -> None:
    made = batches()
    seen = {int(d) for number in range(made.passes) for d in made.rows(number).documents}
    # 18 is the shortest divisor of 360 that a row may have.
    assert seen == set(np.flatnonzero(DOCUMENTS.lengths >= 18).tolist())


def test_a_pass_depends_on_its_number_alone() -> None:
    one, other = batches(), batches()
    passes = one.passes
    forward = [one.rows(n) for n in (0, 1, passes, passes + 1)]
    backward = [other.rows(n) for n in (passes + 1, passes, 1, 0)][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert (a.tokens == b.tokens).all()
    assert (batches(seed=1).rows(0).documents.tolist()) != forward[0].documents.tolist()


def test_rows_whose_masks_may_double_get_more_text_where_there_is_some() -> None:
    made = batches(slack=4)
    available = [made.rows(n).available - made.rows(n).length for n in range(made.passes)]
    extra = np.concatenate(available)
    assert extra.min() == 0
    assert extra.max() == 4


def test_documents_that_are_all_too_short_are_said() -> None:
    with pytest.raises(DataError, match="no document has 16 tokens"):
        Batches(Documents([3, 4]), size=360, context=120, seed=0)


def test_an_epochs_plan_is_made_once_though_rows_are_made_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned: list[int] = []
    new = Batches._new_plan

    def planning(self: Batches, epoch: int) -> Any:
        planned.append(epoch)
        return new(self, epoch)

    monkeypatch.setattr(Batches, "_new_plan", planning)
    made = batches()
    for edge in (made.passes, 2 * made.passes):
        for number in (-2, 1, -1, 2, 0, -1, 1):
            made.rows(edge + number)
    assert planned == [0, 1, 2]


@pytest.mark.parametrize(
    ("size", "well"), [(2520, True), (80640, True), (4096, True), (2521, False), (2522, False)]
)
def test_a_pass_needs_divisors_to_be_cut_into_rows(size: int, well: bool) -> None:
    assert divides_well(size, 504) is well
