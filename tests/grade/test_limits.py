"""A candidate's own limits never ask for more than the user who runs trueval has."""

import subprocess
import sys

import pytest

from trueval.grade.sandbox.limits import MAX_TASKS

LIMITS = """
import resource
from trueval.grade.sandbox import limits
resource.setrlimit(resource.RLIMIT_{name}, ({hard}, {hard}))
print(dict(limits.of_one(3.0, True))[resource.RLIMIT_{name}])
"""


@pytest.mark.parametrize(
    ("name", "hard", "expected"),
    [
        ("NPROC", 40, (40, 40)),
        ("NPROC", 4000, (MAX_TASKS, MAX_TASKS)),
        ("CPU", 4, (3, 4)),
        ("CPU", 60, (4, 5)),
    ],
)
def test_a_limit_is_within_ours(name: str, hard: int, expected: tuple[int, int]) -> None:
    code = LIMITS.format(name=name, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(expected)
