"""Where the code is from: the standard library, wheels, installed packages, and the user's pip.

Nothing of a package is built, installed or run: its files are read, its metadata decide.
"""

from __future__ import annotations

import email
import hashlib
import importlib.metadata
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, cast

import yaml

from trueval.errors import ConfigError, DataError
from trueval.tuning.licences import Licence, licence_of, says_otherwise

STDLIB = "python"
"""The name under which the standard library is listed."""
MAX_FILE = 2**20
"""A larger module is a table."""

_VENDORED = re.compile(
    r"(^|/)(_?vendor(ed)?|_vendored_packages|third_?party\w*|extern(al)?s?|site-packages)(/|$)",
    re.IGNORECASE,
)
"""Code that others wrote, under licences that this package's metadata do not name."""
_VERSION_PART = re.compile(r"\d+|[a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package's Python code, and what its metadata say."""

    name: str
    version: str
    licence: Licence
    homepage: str
    origin: str
    """The wheel's file name, or what else it was read from; never a path of this machine."""
    sha256: str
    """Of the wheel; of the files' names and contents where there is none."""
    sources: tuple[tuple[str, str], ...] = field(repr=False)
    """(path in the package, text), in the order of the paths."""
    vendored: int = 0
    """Files left out because they lie in folders for other people's code."""
    other_licence: int = 0
    """Files left out because their own head names a licence that is not permitted."""


def normalised(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(path: str | Path | None = None) -> list[str]:
    """The names in a YAML file (`packages: [name, ...]`); without a path the list that ships.

    Raises `ConfigError` when it is not such a file.
    """
    where = Path(path) if path is not None else files("trueval.tuning").joinpath("packages.yml")
    try:
        content = yaml.safe_load(where.read_text(encoding="utf-8"))
        names = content["packages"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("`packages` is not a list of names")
    except (OSError, yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path or 'packages.yml'} is no list of packages: {error}",
            hint="write: `packages: [sympy, networkx]`",
        ) from error
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
            raise ConfigError(f"{name!r} is no package's name", hint="write: `packages: [sympy]`")
    return list(dict.fromkeys(normalised(name) for name in names))


# --------------------------------------------------------------------------- readers


def standard_library() -> Package:
    """The running Python's own modules, without its tests."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    skipped = ("site-packages/", "dist-packages/", "test/", "idlelib/idle_test/", "ensurepip/")
    chosen = sorted(
        path for path in paths if not path.startswith(skipped) and not re.search("/tests?/", path)
    )
    found = _decoded((path, (root / path).read_bytes()) for path in chosen)
    return Package(
        name=STDLIB,
        version=platform.python_version(),
        licence=Licence(name="PSF-2.0", permitted=True),
        homepage="https://www.python.org",
        origin="standard library",
        sha256=_digest(found.sources),
        sources=found.sources,
        vendored=found.vendored,
        other_licence=found.other_licence,
    )


def wheel(path: Path) -> Package:
    """The package in a wheel. Raises `DataError` when the file is cut off or no wheel."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            described = [name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            if len(described) != 1:
                raise DataError(f"{path.name} is no wheel: it has {len(described)} METADATA files")
            metadata = email.message_from_bytes(archive.read(described[0]))
            licence = licence_of(metadata)
            # Not a line is read of what may not be used.
            python = [name for name in names if name.endswith(".py") and licence.permitted]
            fitting = [name for name in python if archive.getinfo(name).file_size <= MAX_FILE]
            found = _decoded((name, archive.read(name)) for name in fitting)
    # A password is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        raise DataError(f"{path.name} cannot be read: {error}", hint="fetch it again") from error
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return _described(metadata, licence, path.name, sha256, found)


def installed(distribution: importlib.metadata.Distribution) -> Package:
    """A package as it lies in a site-packages folder."""
    metadata = cast("Message", distribution.metadata)
    licence = licence_of(metadata)
    paths = []
    for name in sorted(map(str, distribution.files or ())) if licence.permitted else ():
        path = Path(str(distribution.locate_file(name)))
        # `..` leads to scripts beside the packages.
        ours = name.endswith(".py") and not name.startswith("..")
        if ours and path.is_file() and path.stat().st_size <= MAX_FILE:
            paths.append((name, path))
    found = _decoded((name, path.read_bytes()) for name, path in paths)
    return _described(metadata, licence, "installed package", _digest(found.sources), found)


def _described(
    metadata: Message,
    licence: Licence,
    origin: str,
    sha256: str,
    found: _Found,
) -> Package:
    return Package(
        name=normalised(str(metadata["Name"])),
        version=str(metadata["Version"]),
        licence=licence,
        homepage=_homepage(metadata),
        origin=origin,
        sha256=sha256,
        sources=found.sources,
        vendored=found.vendored,
        other_licence=found.other_licence,
    )


def _homepage(metadata: Message) -> str:
    if page := metadata.get("Home-page"):
        return str(page)
    urls = [str(url).partition(",") for url in metadata.get_all("Project-URL") or ()]
    named = {label.strip().lower(): url.strip() for label, _, url in urls}
    for label in ("homepage", "home", "source", "source code", "repository", "documentation"):
        if label in named:
            return named[label]
    return next(iter(named.values()), "")


class _Found(NamedTuple):
    """A package's files, and how many were left out."""

    sources: tuple[tuple[str, str], ...]
    vendored: int
    other_licence: int


def _decoded(found: Iterator[tuple[str, bytes]]) -> _Found:
    """The files that are UTF-8, without other people's code as far as folder and head show it."""
    kept, vendored, other = [], 0, 0
    for name, content in found:
        if _VENDORED.search(name.rpartition("/")[0]):
            vendored += 1
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if says_otherwise(text):
            other += 1
        else:
            kept.append((name, text))
    return _Found(tuple(kept), vendored, other)


def _digest(sources: Sequence[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, text in sources:
        digest.update(f"{name}\0{len(text)}\0{text}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


# --------------------------------------------------------------------------- finding one


class Shelf:
    """Folders of wheels or installed packages, looked through once: name -> its newest version."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Raises `ConfigError` for a folder that is not there. Earlier folders win."""
        self._found: dict[str, Path | importlib.metadata.Distribution] = {}
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(f"{folder} is no folder", hint="--from takes folders of packages")
            here: dict[str, tuple[tuple[tuple[int, int | str], ...], Path]] = {}
            for path in sorted(folder.glob("*.whl")):
                name, version = _named(path)
                here[name] = max(here.get(name, ((), path)), (_order(version), path))
            for name, (_, path) in here.items():
                self._found.setdefault(name, path)
            for distribution in importlib.metadata.distributions(path=[str(folder)]):
                if name := distribution.metadata["Name"]:
                    self._found.setdefault(normalised(name), distribution)

    @property
    def names(self) -> list[str]:
        """Every package's name, in order."""
        return sorted(self._found)

    def get(self, name: str) -> Package | None:
        """The package, read now; None if it is not here."""
        found = self._found.get(normalised(name))
        if found is None:
            return None
        return wheel(found) if isinstance(found, Path) else installed(found)


def _named(path: Path) -> tuple[str, str]:
    """A wheel's package and version, as its file name says them."""
    parts = path.stem.split("-")
    if len(parts) < 5:
        raise ConfigError(
            f"{path} is not named as a wheel",
            hint="name-version-py3-none-any.whl: rename it, or move it out of the folder",
        )
    return normalised(parts[0]), parts[1]


def _order(version: str) -> tuple[tuple[int, int | str], ...]:
    """Enough to tell releases apart: 1.2rc1 < 1.2 < 1.2.post1 < 1.2.1 < 1.10."""
    parts = _VERSION_PART.findall(version.partition("+")[0].lower())
    ranks = [(1, int(part)) if part.isdigit() else (0, part) for part in parts if part != "post"]
    # The end of a release's number lies between its pre-releases and what comes after it.
    at = parts.index("post") if "post" in parts else len(parts)
    end = (1, -1) if at == len(parts) else (1, 0)
    return (*ranks[:at], end, *ranks[at:])


@contextmanager
def fetched(name: str, folder: Path) -> Iterator[Path]:
    """The package's newest wheel by the user's own pip, in a folder that is gone afterwards.

    Only a wheel is taken, so no code of the package runs; index, proxies and certificates are the
    user's. Raises `DataError` with pip's own words when there is none or it cannot be had.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps"]
        command += ["--only-binary", ":all:", "--progress-bar=off", "--quiet"]
        command += ["--disable-pip-version-check", "--dest", scratch, "--", name]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            said = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
            raise DataError(
                f"pip could not fetch {name}: {' '.join(said) or f'exit status {done.returncode}'}",
                hint="check the network and `pip config list`, or name a folder with --from",
            )
        yield wheels[0]
