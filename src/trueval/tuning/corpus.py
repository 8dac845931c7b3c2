"""Packages to training data: functions, without copies and benchmarks, in splits by package.

Two passes. The first reads one package at a time into `work/`, in parallel; a package that is
there is finished, so an interrupted run goes on where it was. The second puts them together.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from trueval.errors import DataError
from trueval.tuning.decontaminate import Index
from trueval.tuning.functions import functions_of
from trueval.tuning.packages import STDLIB, Package, Shelf, fetched, standard_library, wheel

FORMAT = 3
"""Of what lies in `work/`: another one is made anew."""
SALT = "trueval train data 1"
HELD_OUT = 0.02
"""The share of packages in each of validation and dev."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where packages may be taken from."""

    folders: tuple[Path, ...] = ()
    offline: bool = False
    """Whether only the folders and the standard library count, and pip is not asked."""


def split_of(package: str) -> str:
    """The split of a package: by its name alone, so it never changes when others come or go."""
    digest = hashlib.sha256(f"{SALT}\0{package}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < HELD_OUT:
        return "validation"
    return "dev" if place < 2 * HELD_OUT else "train"


# --------------------------------------------------------------------------- the first pass


def collect(
    names: Sequence[str], sources: Sources, work: Path, *, workers: int, say: Say
) -> list[str]:
    """Read every package into `work` that is not there yet; the names that could not be had."""
    work.mkdir(parents=True, exist_ok=True)
    todo = [name for name in names if not _is_finished(work, name)]
    done = len(names) - len(todo)
    if done:
        say(f"[{done}/{len(names)}] packages were read before")
    missing = []
    for name, outcome in _outcomes(todo, sources, work, workers):
        done += 1
        if isinstance(outcome, str):
            missing.append(name)
            say(f"[{done}/{len(names)}] {name}: {outcome}")
        else:
            say(f"[{done}/{len(names)}] {_line(outcome)}")
    return missing


def _outcomes(
    todo: Sequence[str], sources: Sources, work: Path, workers: int
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """(name, its facts or why there are none), as they come."""
    if workers <= 1:
        shelf = Shelf(sources.folders)
        for name in todo:
            yield name, read_package(name, shelf, sources, work)
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(sources,)
    ) as pool:
        pending: dict[Future[dict[str, Any] | str], str] = {
            pool.submit(_read_here, name, sources, work): name for name in todo
        }
        try:
            while pending:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(future), future.result()
        finally:
            # An interruption waits for the packages in hand, not for the whole list.
            pool.shutdown(cancel_futures=True)


_shelf: Shelf | None = None
"""One a worker process: it looks through the folders once."""


def _start(sources: Sources) -> None:
    global _shelf
    os.nice(10)
    _shelf = Shelf(sources.folders)


def _read_here(name: str, sources: Sources, work: Path) -> dict[str, Any] | str:
    assert _shelf is not None
    return read_package(name, _shelf, sources, work)


def read_package(name: str, shelf: Shelf, sources: Sources, work: Path) -> dict[str, Any] | str:
    """One package into `work`: its facts, or a sentence why it could not be had this time.

    A package whose licence is not permitted is finished too: its facts say so.
    """
    try:
        if name == STDLIB:
            return _written(name, standard_library(), work)
        if (package := shelf.get(name)) is not None:
            return _written(name, package, work)
        if sources.offline:
            return "not in the given folders, and --offline was said"
        with fetched(name, work) as path:
            return _written(name, wheel(path), work)
    except DataError as error:
        return error.message


def _written(name: str, package: Package, work: Path) -> dict[str, Any]:
    functions, left_out = 0, Counter[str]()
    scratch = work / f".{name}.{os.getpid()}"
    try:
        with scratch.open("w", encoding="utf-8") as out:
            for path, text in package.sources if package.licence.permitted else ():
                found, skipped = functions_of(text)
                left_out.update(skipped)
                functions += len(found)
                for function in found:
                    row = [path, function.name, function.text, function.body]
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
        scratch.replace(work / f"{name}.jsonl")
    finally:
        scratch.unlink(missing_ok=True)
    facts = {
        "format": FORMAT,
        "name": name,
        "version": package.version,
        "licence": package.licence.name,
        "permitted": package.licence.permitted,
        "homepage": package.homepage,
        "origin": package.origin,
        "sha256": package.sha256,
        "files": len(package.sources),
        "vendored_files_skipped": package.vendored,
        "other_licence_files_skipped": package.other_licence,
        "bytes": sum(len(text.encode("utf-8", "replace")) for _, text in package.sources),
        "functions_found": functions,
        "left_out": dict(sorted(left_out.items())),
    }
    # Written last, and in one step: while it is missing, the package is not finished.
    scratch.write_text(json.dumps(facts), encoding="utf-8")
    scratch.replace(work / f"{name}.json")
    return facts


def _is_finished(work: Path, name: str) -> bool:
    try:
        facts = json.loads((work / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(facts.get("format") == FORMAT) and (work / f"{name}.jsonl").exists()


def _line(facts: Mapping[str, Any]) -> str:
    what = f"{facts['name']} {facts['version']}"
    if not facts["permitted"]:
        return f"{what}: refused, licence {facts['licence']}"
    return f"{what}: {facts['functions_found']} functions ({facts['licence']})"


# --------------------------------------------------------------------------- the second pass


@dataclass(slots=True)
class _Kept:
    """What the second pass has seen, over all packages."""

    texts: set[bytes]
    bodies: set[str]
    filters: Counter[str]
    contaminated: Counter[str]


def combine(
    names: Sequence[str],
    work: Path,
    out: Path,
    index: Index,
    *,
    missing: Sequence[str] = (),
    absent: Sequence[str] = (),
) -> dict[str, Any]:
    """`functions/`, NOTICE and manifest.json of the packages in `work`: the manifest.

    `missing`: packages that could not be had; `absent`: benchmarks that could not be compared with.

    Of copies the first stays, in the order: standard library, then by name.
    """
    have = [name for name in names if name not in missing]
    every = [json.loads((work / f"{name}.json").read_text("utf-8")) for name in have]
    every.sort(key=lambda facts: (facts["name"] != STDLIB, facts["name"]))
    packages = [facts for facts in every if facts["permitted"]]
    folder = out / "functions"
    folder.mkdir(parents=True, exist_ok=True)
    kept = _Kept(set(), set(), Counter(), Counter())
    splits = {name: _Split(folder / f"{name}.jsonl") for name in ("train", "validation", "dev")}
    for facts in packages:
        split = splits[split_of(facts["name"])]
        before = split.functions
        for row in _kept(facts["name"], work, index, kept):
            split.write(row)
        facts |= {"split": split_of(facts["name"]), "functions": split.functions - before}
        kept.filters.update(facts["left_out"])
    manifest = {
        "format": FORMAT,
        "python": platform.python_version(),
        "functions": {name: split.functions for name, split in splits.items()},
        "bytes": {name: split.bytes for name, split in splits.items()},
        "sha256": {f"functions/{name}.jsonl": split.close() for name, split in splits.items()},
        "filters": dict(sorted(kept.filters.items())),
        "contaminated": {name: kept.contaminated[name] for name in index.names},
        "benchmarks_absent": sorted(absent),
        "packages": packages,
        "refused": [_short(facts) for facts in every if not facts["permitted"]],
        "missing": sorted(missing),
    }
    _write(out / "NOTICE", notice(packages))
    _write(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    return manifest


def _kept(name: str, work: Path, index: Index, kept: _Kept) -> Iterator[dict[str, str]]:
    with (work / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            path, function, text, body = json.loads(line)
            digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
            if digest in kept.texts:
                kept.filters["exact duplicate"] += 1
            elif body in kept.bodies:
                kept.filters["near duplicate"] += 1
            elif hits := index.hits(text, body):
                kept.filters["contaminated"] += 1
                kept.contaminated.update(hits)
            else:
                kept.texts.add(digest)
                kept.bodies.add(body)
                yield {"package": name, "path": path, "name": function, "text": text}


class _Split:
    """One split's file, written beside its place and moved there when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file = self._scratch.open("wb")
        self._digest = hashlib.sha256()
        self.functions = self.bytes = 0

    def write(self, row: Mapping[str, str]) -> None:
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self.functions += 1
        self.bytes += len(row["text"].encode())

    def close(self) -> str:
        self._file.close()
        self._scratch.replace(self._path)
        return self._digest.hexdigest()


def notice(packages: Sequence[Mapping[str, Any]]) -> str:
    """One entry a package: name, version, licence, home page, digest."""
    entries = [
        f"{facts['name']} {facts['version']}\n  licence: {facts['licence']}\n"
        f"  home page: {facts['homepage'] or 'none named'}\n"
        f"  {facts['origin']}, sha256 {facts['sha256']}\n"
        for facts in packages
    ]
    head = "Functions of these packages were used as training data, each under its own licence.\n"
    return "\n".join([head, *entries])


def _short(facts: Mapping[str, Any]) -> dict[str, str]:
    return {key: facts[key] for key in ("name", "version", "licence", "sha256")}


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def summary(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a person wants to know of a manifest."""
    licences = Counter(facts["licence"] for facts in manifest["packages"])
    return {
        "packages": len(manifest["packages"]),
        "refused": len(manifest["refused"]),
        "missing": len(manifest["missing"]),
        "functions": manifest["functions"],
        "bytes": manifest["bytes"],
        "filters": manifest["filters"],
        "contaminated": manifest["contaminated"],
        "benchmarks_absent": manifest["benchmarks_absent"],
        "licences": dict(licences.most_common()),
    }
