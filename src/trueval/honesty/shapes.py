"""The answers that controls send through a chain: right ones in every shape, and cheats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from trueval.types import Problem, Reference

Shape = Callable[[Problem, Reference], str]


def bare_body(_problem: Problem, reference: Reference) -> str:
    """The body as a base model writes it."""
    return reference.canonical_solution


def newline_body(_problem: Problem, reference: Reference) -> str:
    """The body after a newline, as from a prompt without white space at its end."""
    return "\n" + reference.canonical_solution


def unindented_first_line(_problem: Problem, reference: Reference) -> str:
    """The body, stripped: its first line has lost its indentation."""
    return reference.canonical_solution.strip()


def fenced_block(problem: Problem, reference: Reference) -> str:
    """The whole function in a Markdown block."""
    return f"```python\n{whole_function(problem, reference)}\n```"


def whole_function(problem: Problem, reference: Reference) -> str:
    """The whole source, signature and all."""
    return problem.prefix + reference.canonical_solution


def prose_around_fence(problem: Problem, reference: Reference) -> str:
    """The whole function in a block, with talk before and after it."""
    block = fenced_block(problem, reference)
    return f"Sure! Here is the completed function:\n\n{block}\n\nIt works like this:\n1. It runs.\n"


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        shape.__name__: shape
        for shape in (
            bare_body,
            newline_body,
            unindented_first_line,
            fenced_block,
            whole_function,
            prose_around_fence,
        )
    }
)
"""Right answers, by the name of their shape."""

BASE_SHAPES = ("bare_body", "newline_body")
"""What a model that goes on with raw text answers: these must survive its stop sequences."""

ALWAYS_EQUAL = """\
    class Equal:
        def __eq__(self, other): return True
        def __ne__(self, other): return False
        def __lt__(self, other): return True
        __le__ = __gt__ = __ge__ = __lt__
        def __hash__(self): return 0
        def __bool__(self): return True
        def __len__(self): return 1
        def __iter__(self): return iter(())
        def __contains__(self, item): return True
        def __getitem__(self, key): return self
        def __getattr__(self, name): return self
        def __call__(self, *args, **kwargs): return self
        def __sub__(self, other): return 0
        __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __sub__
        def __abs__(self): return 0
        def __float__(self): return 0.0
        def __round__(self, digits=0): return 0
    return Equal()
"""

CHEATS: Mapping[str, str] = MappingProxyType(
    {
        "endless loop": "    while True:\n        pass\n",
        "nothing": "",
        "pass": "    pass\n",
        "raise": "    raise Exception('no idea')\n",
        "sys.exit(0)": "    import sys\n    sys.exit(0)\n",
        "os._exit(0)": "    import os\n    os._exit(0)\n",
        "exit on import": "    return None\n\nimport os\nos._exit(0)\n",
        "always equal": ALWAYS_EQUAL,
    }
)
"""Bodies that solve nothing, by name. Each must fail on every problem."""

SLOW_CHEATS = {"endless loop": 1}
"""Cheats that each cost a whole time limit, with the number of problems that is enough."""
