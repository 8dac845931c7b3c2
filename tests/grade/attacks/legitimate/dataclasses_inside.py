# problem: Attack/add
# why: works with dataclasses, slots, order and all
# verdict: passed
from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Number:
    value: int

    def __add__(self, other: Number) -> Number:
        return Number(self.value + other.value)


def solve(a, b):
    return (Number(a) + Number(b)).value
