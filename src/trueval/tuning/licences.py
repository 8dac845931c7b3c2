"""Which packages may be learned from: what their metadata say of their licence.

Permitted are the families PSF, MIT, BSD, Apache-2.0 and ISC. A package that names another one
beside them is refused, and so is one that names none: a licence is read, never guessed. Of a
permitted package, files are left out whose own head names another licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

SPDX = frozenset(
    "PSF-2.0 Python-2.0 Python-2.0.1 MIT MIT-0 0BSD BSD-1-Clause BSD-2-Clause BSD-3-Clause "
    "Apache-2.0 ISC".split()
)
"""The licence ids that are permitted (SPDX licence list)."""
EXCEPTIONS = frozenset({"LLVM-exception"})
"""Exceptions that only add permissions to a permitted licence."""
CLASSIFIERS = frozenset(
    {
        "Python Software Foundation License",
        "MIT License",
        "MIT No Attribution License (MIT-0)",
        "BSD License",
        "Zero-Clause BSD (0BSD)",
        "Apache Software License",
        "ISC License (ISCL)",
    }
)
"""The last parts of the trove classifiers that are permitted."""

_FREE_TEXT = re.compile(
    r"""(the\s+)?(new|modified|simplified|revised|expat)?\s*
    (?:
        (?P<mit>mit(-0)?(/x11)?|expat(\s*\(mit/x11\))?)
      | (?P<bsd>([023][\s-]?clause\s+)?bsd([\s-]*[0123]?[\s-]*clause)?|0bsd)
      | (?P<apache>(apache(\s+software)?|asl)(\s+licen[sc]e)?,?[\s-]*(v(ersion)?\s*)?(2(\.0)?)?)
      | (?P<isc>isc(l)?)
      | (?P<psf>psf(-2\.0|l)?|python(-2\.0)?|python\s+software\s+foundation)
    )
    ,?\s*(software)?\s*(licen[sc]ed?)?\s*(\((mit|bsd|psf|iscl|asl\s*2\.0)\))?\.?""",
    re.VERBOSE | re.IGNORECASE,
)
_OF_FAMILY = {"mit": "MIT", "bsd": "BSD", "apache": "Apache-2.0", "isc": "ISC", "psf": "PSF"}
_OTHER = re.compile(
    r"General Public Licen[sc]e|\b[AL]?GPL|Mozilla Public|\bMPL\b|Creative Commons|\bCC[- ]BY|"
    r"Eclipse Public|\bEPL\b|\bEUPL|\bCDDL|[Nn]on-?[Cc]ommercial|\bBUSL|Business Source|"
    r"[Aa]ll rights reserved\. (?:NVIDIA|This source code is proprietary)",
)
_SPDX_LINE = re.compile(r"SPDX-License-Identifier:\s*([^\n*#]+)")
HEAD = 4096
"""How many characters of a file's start are read for the licence it names."""
_NOTHING = ("", "UNKNOWN", "NONE")
_NEUTRAL = re.compile(
    r"""(?:\W*(?:
        licen[sc]e[sd]?|copying|notice|see|file|the|a|an|in|for|of|and|under|at|to|root|main|this
      | details?|terms|information|more|text|txt|md|rst|repository|repo|project|package|source
      | code|osi|approved|open|free|software|permissive
    )\b)*\W*""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words that name no licence: `see LICENSE.txt`, `OSI Approved`."""
_LONG = 80
"""A longer licence field is a licence's text: what it says of bundled libraries is no name."""
_TITLES = (
    (re.compile(r"\s*(the )?mit licen[sc]e\b", re.IGNORECASE), "MIT"),
    (re.compile(r"\s*apache licen[sc]e\s*,?\s*version 2\.0", re.IGNORECASE), "Apache-2.0"),
    (re.compile(r"\s*bsd [23][- ]clause licen[sc]e\b", re.IGNORECASE), "BSD"),
    (re.compile(r"\s*isc licen[sc]e\b", re.IGNORECASE), "ISC"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What a package's metadata say, and whether it may be learned from."""

    name: str
    """The expression, classifiers or licence field as found; `none named` without any."""
    permitted: bool


def licence_of(metadata: Message) -> Licence:
    """The licence in a package's METADATA: its expression, else classifiers and licence field.

    With an expression (PEP 639) nothing else counts. Otherwise every licence classifier has to be
    permitted, and a licence field beside them names a permitted family or none at all.
    """
    if expression := _field(metadata, "License-Expression"):
        return Licence(name=expression, permitted=permits(expression))
    named = _field(metadata, "License")
    classified = _classified(metadata.get_all("Classifier") or ())
    if classified:
        agrees = _is_vague(named) or bool(_family(named))
        fits = CLASSIFIERS.issuperset(classified) and agrees
        said = "" if agrees else f" (License: {named.splitlines()[0][:_LONG]})"
        return Licence(name=" AND ".join(classified) + said, permitted=fits)
    if named.upper() in _NOTHING:
        return Licence(name="none named", permitted=False)
    family = _family(named) or _title(named)
    return Licence(name=family or named.splitlines()[0][:_LONG], permitted=bool(family))


def says_otherwise(source: str) -> bool:
    """Whether a file's head names a licence that is not permitted, whatever its package says."""
    head = source[:HEAD]
    # Of an expression one side may be enough, so what stands there is no word against it.
    if _OTHER.search(_SPDX_LINE.sub("", head)):
        return True
    return not all(permits(found[1].strip()) for found in _SPDX_LINE.finditer(head))


def permits(expression: str) -> bool:
    """Whether an SPDX expression is permitted: all of an AND, one of an OR. Anything odd is not."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    try:
        value, rest = _either(tokens)
    except IndexError:
        return False
    return value and not rest


def _either(tokens: list[str]) -> tuple[bool, list[str]]:
    value, tokens = _both(tokens)
    while tokens and tokens[0].upper() == "OR":
        other, tokens = _both(tokens[1:])
        value = value or other
    return value, tokens


def _both(tokens: list[str]) -> tuple[bool, list[str]]:
    value, tokens = _one(tokens)
    while tokens and tokens[0].upper() == "AND":
        other, tokens = _one(tokens[1:])
        value = value and other
    return value, tokens


def _one(tokens: list[str]) -> tuple[bool, list[str]]:
    head, rest = tokens[0], tokens[1:]
    if head == "(":
        value, rest = _either(rest)
        # No closing parenthesis: what is left over makes the whole expression refused.
        return (value, rest[1:]) if rest[0] == ")" else (False, rest)
    value = head in SPDX
    if rest and rest[0].upper() == "WITH":
        return value and rest[1] in EXCEPTIONS, rest[2:]
    return value, rest


def _field(metadata: Message, key: str) -> str:
    value = metadata.get(key)
    return "" if value is None else str(value).strip()


def _classified(classifiers: Iterable[str]) -> list[str]:
    found = []
    for classifier in classifiers:
        parts = [part.strip() for part in str(classifier).split("::")]
        # `License :: OSI Approved` alone names no licence.
        if parts[0] == "License" and parts[1:] and parts[-1] != "OSI Approved":
            found.append(parts[-1])
    return found


def _is_vague(named: str) -> bool:
    """Whether a licence field names no licence of its own, so that the classifiers decide."""
    if named.upper() in _NOTHING:
        return True
    if "\n" in named or len(named) > _LONG:
        # A licence's text: only its title tells which.
        return not re.search(_OTHER.pattern, named.splitlines()[0], re.IGNORECASE)
    return bool(_NEUTRAL.fullmatch(named))


def _family(named: str) -> str:
    """The families of a short free text: `BSD or Apache License, Version 2.0`."""
    if "\n" in named or len(named) > _LONG:
        return ""
    if permits(named):
        return named
    named = named.strip().removeprefix("OSI Approved :: ")
    parts = re.split(r"\s+(or|and)\s+|\s*([/&])\s*(?=apache|bsd|mit)", named, flags=re.I)
    # Text, and the two ways to write what joins it to the next: of them one is None.
    texts, joints = parts[::3], [a or b for a, b in zip(parts[1::3], parts[2::3], strict=True)]
    families = []
    for match in (_FREE_TEXT.fullmatch(text.strip()) for text in texts):
        families += [of for key, of in _OF_FAMILY.items() if match and match[key] is not None]
    if len(families) != len(texts):
        return ""
    words = [" OR " if joint.lower() in ("or", "/") else " AND " for joint in joints]
    return "".join(f"{family}{word}" for family, word in zip(families, [*words, ""], strict=True))


def _title(text: str) -> str:
    """The family of a whole licence text, by its first line."""
    return next((family for title, family in _TITLES if title.match(text)), "")
