# problem: every
# trick: answers with a MagicMock that agrees with everything
# verdict: not passed
from unittest.mock import MagicMock

mock = MagicMock()
mock.__eq__.return_value = True
mock.__sub__.return_value = 0
mock.__rsub__.return_value = 0
mock.__iter__.return_value = iter([])


def solve(*args):
    return mock
