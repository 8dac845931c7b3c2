# problem: Attack/add
# why: is typed with all that typing has
# verdict: passed
from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypedDict, TypeVar, overload

T = TypeVar("T")


class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


class Pair(TypedDict):
    a: int
    b: int


class Adds(Protocol):
    def __call__(self, pair: Pair) -> int: ...


def solve(a: int, b: int) -> int:
    add: Adds = lambda pair: pair["a"] + pair["b"]
    return Box[int](add(Pair(a=a, b=b))).value
