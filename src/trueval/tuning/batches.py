"""Which rows a pass sees. There is no padding: all rows of a pass have one length.

A pass takes `tokens` tokens (2,520 on a CPU), as rows of a length that divides it. A document goes
to the longest such length that it fills, and what is over is cut off at a random end; a document
longer than the longest row gives as many random windows as it fills. So every matrix product has
one shape, no position is wasted, and attention needs no mask. 2,520 has 48 divisors: a seventh to
a fifth of a document at most is cut, 8 % on average, and another part of it each time.

What pass number i holds depends on (seed, i) alone.
"""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trueval.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHORTEST = 16
MOST_APART = 2
"""How many times the next shorter one a row's length may be: what lies between is cut off."""


class Tokens(Protocol):
    """Documents as ids, such as a `dataset.TokenFile`."""

    def __len__(self) -> int:
        """The number of documents."""
        ...

    def __getitem__(self, index: int, /) -> NDArray[np.uint16] | NDArray[np.int64]:
        """The ids of one document."""
        ...

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each document."""
        ...


class Rows(NamedTuple):
    """The rows of one pass, before anything is hidden."""

    tokens: NDArray[np.int64]
    """[B, length + slack]"""
    available: NDArray[np.int64]
    """[B], tokens of each row that are text: at least `length`."""
    length: int
    documents: NDArray[np.int64]
    """[B], where each row is from."""


def row_lengths(size: int, context: int) -> list[int]:
    """The lengths that rows of a pass of `size` tokens may have, in order."""
    return [n for n in range(SHORTEST, min(context, size) + 1) if size % n == 0]


def divides_well(size: int, context: int) -> bool:
    """Whether rows of a pass have enough lengths that most of each document is seen."""
    lengths = row_lengths(size, context)
    near = all(b <= MOST_APART * a for a, b in pairwise([SHORTEST, *lengths]))
    return near and bool(lengths) and MOST_APART * lengths[-1] >= min(context, size)


class Batches:
    """The rows of each pass over a split."""

    def __init__(
        self, tokens: Tokens, *, size: int, context: int, seed: int, slack: int = 0
    ) -> None:
        """`size`: tokens of a pass. `slack`: tokens beyond a row's length to give, if there are."""
        import numpy as np

        self._tokens, self._seed, self._slack, self._size = tokens, seed, slack, size
        fits = row_lengths(size, context)
        self._steps = np.array(fits, np.int64)
        lengths = tokens.lengths
        step = np.searchsorted(self._steps, lengths, side="right") - 1
        windows = np.maximum(1, lengths // max(fits, default=1))
        kept = np.flatnonzero(step >= 0)
        if not len(kept):
            raise DataError(
                f"no document has {SHORTEST} tokens", hint="trueval train data --out DATA"
            )
        self._documents = np.repeat(kept, windows[kept])
        self._lengths = self._steps[step[self._documents]]
        self._lock = threading.Lock()
        self._plans: dict[int, list[tuple[int, NDArray[np.int64]]]] = {}
        self.passes = len(self._planned(0))
        """Of an epoch."""

    def rows(self, number: int) -> Rows:
        """The rows of pass `number`, counted over all epochs."""
        import numpy as np

        epoch, index = divmod(number, self.passes)
        length, documents = self._planned(epoch)[index]
        rng = np.random.default_rng([self._seed, 0, number])
        width = length + self._slack
        tokens = np.zeros((len(documents), width), np.int64)
        available = np.zeros(len(documents), np.int64)
        spot, side = rng.random(len(documents)), rng.random(len(documents))
        for row, document in enumerate(documents):
            text = self._tokens[int(document)]
            over = len(text) - length
            long = len(text) >= 2 * self._steps[-1]
            # Whole documents begin or end where they do; of long ones any window serves.
            start = (
                int(spot[row] * (over + 1))
                if long or side[row] < 0.2
                else (0 if side[row] < 0.7 else over)
            )
            piece = text[start : start + width]
            tokens[row, : len(piece)] = piece
            available[row] = len(piece)
        return Rows(tokens, available, length, documents)

    def _planned(self, epoch: int) -> list[tuple[int, NDArray[np.int64]]]:
        """(length, documents) of each pass of an epoch, in random order."""
        with self._lock:  # several threads may make rows
            if epoch not in self._plans:
                # Those who make rows ahead are an epoch further for a while.
                kept = {k: plan for k, plan in self._plans.items() if k == epoch - 1}
                self._plans = {**kept, epoch: self._new_plan(epoch)}
            return self._plans[epoch]

    def _new_plan(self, epoch: int) -> list[tuple[int, NDArray[np.int64]]]:
        import numpy as np

        rng = np.random.default_rng([self._seed, 1, epoch])
        order = rng.permutation(len(self._documents))
        plan = []
        for length in self._steps:
            mine = self._documents[order[self._lengths[order] == length]]
            count = self._size // int(length)
            for start in range(0, len(mine), count):
                chosen = mine[start : start + count]
                # The last ones fill up with earlier ones, so that shapes never change.
                more = np.resize(mine, count - len(chosen)) if len(chosen) < count else mine[:0]
                plan.append((int(length), np.concatenate([chosen, more])))
        return [plan[i] for i in rng.permutation(len(plan))]
