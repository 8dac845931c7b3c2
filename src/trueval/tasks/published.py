"""Data that its authors publish as a file: from the user's path, the cache, or the network.

Whatever it came from, its digest is compared with the published one where that is known.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trueval.errors import DataError, StorageError
from trueval.paths import cache_dir
from trueval.tasks.formats import as_lines, read_file
from trueval.tasks.rows import sha256

Say = Callable[[str], None]

MAX_BYTES = 512 * 2**20
"""No benchmark is larger, and what is larger is not one."""
TIMEOUT_S = 30.0
HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where a benchmark's file is, and how to tell that it is that file."""

    task: str
    filename: str
    url: str
    origin: str
    """Where it is from, for people."""
    license: str
    sha256: str = ""
    """Of the JSON Lines, or as much of its beginning as is known."""
    md5: str = ""
    """Where the authors give this one."""
    rows: int = 0
    """How many problems there are; 0: not checked."""
    columns: tuple[str, ...] = ()
    """The digest is of rows in these columns (`as_lines`); empty: of the bytes as published."""

    @property
    def path(self) -> Path:
        """Where `pull` puts it: JSON Lines, not compressed."""
        return self._folder / f"{self.task}.jsonl"

    @property
    def by_hand(self) -> Path:
        """Where it is found too, as it is published."""
        return self._folder / self.filename

    @property
    def _folder(self) -> Path:
        return cache_dir() / "tasks" / self.task

    @property
    def address(self) -> str:
        """The URL, at the hub's mirror if `HF_ENDPOINT` names one."""
        mirror = os.environ.get("HF_ENDPOINT", "").rstrip("/")
        if mirror and self.url.startswith(HUB):
            return mirror + self.url.removeprefix(HUB)
        return self.url

    def provenance(self) -> str:
        """Where it is from and how far that was checked, for `TaskData.source`."""
        if self.md5:
            return f"{self.origin}; MD5 as published"
        if len(self.sha256) == 64:
            return f"{self.origin}; SHA-256 as published"
        if self.sha256:
            return f"{self.origin}; SHA-256 begins as published ({self.sha256}), the rest unknown"
        return f"{self.origin}; unverified: no digest of it is known here"


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


def lines_of(source: Published, file: str | None = None) -> bytes:
    """The benchmark as JSON Lines: from `file`, else the cache, else fetched into it."""
    if file is not None:
        return _checked(source, read_file(file), where=file)
    for path in (source.path, source.by_hand):
        if path.exists():
            return _checked(source, read_file(path), where=str(path))
    pull(source, say=_to_stderr)
    return source.path.read_bytes()


def pull(source: Published, file: str | None = None, *, say: Say = _to_stderr) -> Path:
    """Fetch the benchmark, or take `file`, into the cache; nothing but the right one gets there."""
    if file is None:
        say(f"fetching {source.task} from {source.address}")
        content, where = _download(source), source.address
    else:
        content, where = read_file(file), file
    _write(source.path, _checked(source, content, where=where))
    return source.path


def _checked(source: Published, content: bytes, *, where: str) -> bytes:
    """The content as JSON Lines. Raises `DataError` when they are not the published ones."""
    lines = as_lines(content, columns=source.columns, where=where)
    kind, known, found = "SHA-256", source.sha256, sha256(lines)
    if source.md5:
        # The authors' own choice; it tells a damaged or another version's file, not a forged one.
        kind, known = "MD5", source.md5
        found = hashlib.md5(lines, usedforsecurity=False).hexdigest()
    if not found.startswith(known):
        again = f"delete it, then: trueval tasks pull {source.task}"
        raise DataError(
            f"{where} is not {source.task} as published: {kind} {found[:16]}..., "
            f"not {known[:16]}...",
            hint=again if where.startswith(str(cache_dir())) else f"it is at {source.address}",
        )
    count = sum(bool(line.strip()) for line in lines.split(b"\n"))
    if source.rows and count != source.rows:
        raise DataError(f"{where} has {count} problems, and {source.task} has {source.rows}")
    return lines


def _download(source: Published) -> bytes:
    request = urllib.request.Request(source.address, headers={"User-Agent": "trueval"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            content: bytes = reply.read(MAX_BYTES + 1)
            # A connection that breaks off reads like an end.
            expected = int(reply.headers.get("Content-Length") or len(content))
            if len(content) < min(expected, MAX_BYTES):
                raise OSError(f"it broke off after {len(content)} of {expected} bytes")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot fetch {source.task}: {_reason(error)}",
            hint=f"on another machine get {source.address}, then here: "
            f"trueval tasks pull {source.task} --from FILE (or put it at {source.by_hand})",
        ) from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{source.address} is larger than any benchmark: it was not kept")
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP {error.code} {error.reason}"
    return str(error.reason if isinstance(error, urllib.error.URLError) else error)


def _write(path: Path, content: bytes) -> None:
    """The file in one step: a reader sees all of it or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as scratch:
            try:
                scratch.write(content)
                scratch.close()
                Path(scratch.name).chmod(0o644)
                Path(scratch.name).replace(path)
            except BaseException:
                Path(scratch.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}",
            hint="free some space, or set TRUEVAL_CACHE to a folder that can be written",
        ) from error
