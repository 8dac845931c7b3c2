"""Which problems may be tuned on, and which are kept for the score.

A problem's side is a hash of its name: nobody chooses it, every machine agrees on it, and it stays
when a benchmark grows. What tunes (sweeps, optimisers, soft prompts, rewards) sees `dev` only.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

Split = Literal["dev", "test"]

SALT = "trueval-1"
"""Changing it deals every problem anew, and makes earlier test halves tuned-on."""

_FAMILY = re.compile(r"(HumanEval|MBPP)[/_](\d+)", re.IGNORECASE)


def split_of(problem_id: str, salt: str = SALT, dev_share: float = 0.5) -> Split:
    """The side a problem is on: `dev` for about `dev_share` of all problems, else `test`.

    The first 8 bytes of SHA-256 of salt, a zero byte and the problem's family, as a fraction of
    2**64, are below `dev_share` for `dev`. A larger share keeps every problem of a smaller one.
    """
    if not 0 <= dev_share <= 1:
        raise ValueError(f"dev_share is a share from 0 to 1, got {dev_share}")
    content = f"{salt}\0{family_of(problem_id)}".encode("utf-8", "surrogatepass")
    place = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return "dev" if place < dev_share * 2**64 else "test"


def family_of(problem_id: str) -> str:
    """What problems made from one another share: `RandomSpan/HumanEval/0/1` is HumanEval/0's.

    An infilling benchmark shows nearly the whole of the solution that it was cut from. On
    different sides, tuning on one would tune on the other.
    """
    found = _FAMILY.search(problem_id)
    return f"{found[1].lower()}/{int(found[2])}" if found else problem_id
