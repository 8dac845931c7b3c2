"""The repair of missing imports, and the names that it knows."""

from __future__ import annotations

import ast
import builtins

from trueval.postprocess.parsing import defines, names_used, parse
from trueval.types import Effect, Problem

MODULES = """
abc base64 bisect calendar cmath collections contextlib copy csv dataclasses datetime decimal
enum fractions functools hashlib heapq html io itertools json math numbers operator os pathlib
pprint random re secrets statistics string struct sys textwrap time typing unicodedata uuid
""".split()
"""Modules whose name, used and unbound, can hardly mean anything else."""

MEMBERS = {
    "typing": """Any Callable ClassVar Dict FrozenSet Generator Generic Iterable Iterator List
        Literal Mapping NamedTuple NoReturn Optional Sequence Set Tuple Type TypeVar Union cast""",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "functools": "cache cached_property cmp_to_key lru_cache partial reduce wraps",
    "itertools": """accumulate chain combinations combinations_with_replacement cycle dropwhile
        groupby islice pairwise permutations starmap takewhile zip_longest""",
    "math": "ceil comb factorial floor gcd hypot isqrt lcm log10 log2 sqrt",
    "heapq": "heapify heappop heappush heappushpop heapreplace nlargest nsmallest",
    "bisect": "bisect_left bisect_right insort insort_left insort_right",
    "operator": "attrgetter itemgetter methodcaller",
    "copy": "deepcopy",
    "datetime": "timedelta",
    "decimal": "Decimal ROUND_HALF_UP",
    "fractions": "Fraction",
    "hashlib": "md5 sha1 sha256",
    "string": "ascii_letters ascii_lowercase ascii_uppercase punctuation",
    "dataclasses": "dataclass",
    "enum": "Enum IntEnum",
    "pathlib": "Path",
}
"""Module -> members that only one module of the standard library is known for. `product`, `prod`,
`mean`, `choice`, `date` and the like are left out: a program may well mean something else."""


class MissingImports:
    """Imports standard modules and names that a program uses and nowhere binds."""

    name = "missing_imports"
    effect: Effect = "repair"

    def __call__(self, text: str, problem: Problem) -> str:
        """The text with the imports at its head, inside the body where it is one."""
        whole = defines(text, problem.entry_point)
        tree = parse(text if whole else problem.prefix + text)
        if tree is None or not text.strip():
            return text
        # The imports of the prefix are there for a whole function too.
        bound = _bound(tree) | _bound(parse(problem.prefix)) | set(dir(builtins))
        if "*" in bound:
            return text  # whatever is missing may have come with it
        unbound = names_used(tree) - bound
        lines = [f"import {name}" for name in MODULES if name in unbound]
        for module, members in MEMBERS.items():
            lines += [f"from {module} import {m}" for m in members.split() if m in unbound]
        if not lines:
            return text
        first = next(line for line in text.splitlines() if line.strip())
        indent = "" if whole else first[: len(first) - len(first.lstrip())]
        mended = "".join(f"{indent}{line}\n" for line in lines) + text.lstrip("\n")
        # A `from __future__` import must stay first, and a body may start inside a line.
        return mended if parse(mended if whole else problem.prefix + mended) else text


def _bound(tree: ast.Module | None) -> set[str]:
    """Every name that is bound anywhere: a name bound in any scope is not taken for a module."""
    names: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                names.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.MatchMapping(rest=str(name)):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
            case _:
                pass
    return names
