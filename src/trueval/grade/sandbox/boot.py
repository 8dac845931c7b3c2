"""Starts a checker and its zygote: run by path, as `python -s -S -P boot.py`, jobs on stdin.

Empty stand-ins take the place of the packages above, so that importing them runs none of their
`__init__` files: a process stays small, and what is small forks fast.
"""

import sys


def _stand_in(name: str, folder: str) -> None:
    package = type(sys)(name)
    package.__path__ = [folder]
    sys.modules[name] = package


if __name__ == "__main__":
    sandbox = __file__.rpartition("/")[0]
    grade = sandbox.rpartition("/")[0]
    _stand_in("trueval", grade.rpartition("/")[0])
    _stand_in("trueval.grade", grade)
    _stand_in("trueval.grade.sandbox", sandbox)

    from trueval.grade.sandbox.start import main

    main()
