"""The cache's file: SQLite, for several processes at a time, and never a reason for a run to stop.

Whatever is wrong with it, a run goes on without it and says so (`CacheFile.trouble`).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from trueval.errors import DataError, StorageError
from trueval.paths import cache_dir

T = TypeVar("T")
Table = Literal["completions", "grades"]
TABLES: tuple[Table, ...] = ("completions", "grades")

VERSION = 1
"""Of the tables; a file of another is left aside."""
WAIT_S = 5.0
"""How long a write waits for another process's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFacts:
    """What `trueval cache stats` prints."""

    file: str
    completions: int
    grades: int
    size_mb: float


def cache_path() -> Path:
    """Where the cache lies; it need not be there yet."""
    return cache_dir() / "cache.sqlite"


class CacheFile:
    """Two tables of key and JSON. An entry is written once and never changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """Why the cache is not used (any more), in a sentence; empty while all is well."""
        self._connection: sqlite3.Connection | None = None

    @classmethod
    def open(cls, path: Path | None = None) -> CacheFile:
        """The file, made if need be. One that cannot be used is closed: see its `trouble`."""
        found = cls(path or cache_path())
        try:
            found.path.parent.mkdir(parents=True, exist_ok=True)
            found._connection = _connect(found.path)
        except (OSError, sqlite3.Error) as error:
            found._leave(error)
        return found

    def get(self, table: Table, key: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
        """What stands under the key, as `read` makes it; None for nothing, or nothing readable."""
        if self._connection is None:
            return None
        try:
            found = self._connection.execute(
                f"SELECT value FROM {table} WHERE key = ?", (key,)
            ).fetchone()
            return read(json.loads(found[0])) if found else None
        except sqlite3.Error as error:
            self._leave(error)
        except (ValueError, KeyError, TypeError):
            pass  # not as we write it: then it is made again
        return None

    def put(self, table: Table, key: str, value: Any) -> None:
        """Keep a value. What cannot be written costs the cache, not the run."""
        if self._connection is None:
            return
        try:
            self._connection.execute(
                f"INSERT OR REPLACE INTO {table} (key, value) VALUES (?, ?)",
                # Plain ASCII: SQLite refuses the lone surrogates that a model may write.
                (key, json.dumps(value, separators=(",", ":"))),
            )
        except sqlite3.Error as error:
            self._leave(error)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _leave(self, error: Exception) -> None:
        self.trouble = (
            f"the cache {self.path} was not used ({error}); if that stays so, "
            "`trueval cache clear` makes it anew"
        )
        self.close()


def stats(path: Path | None = None) -> CacheFacts:
    """How much the cache holds. Raises `DataError` for a file that cannot be read."""
    file = path or cache_path()
    if not file.exists():
        return CacheFacts(file=str(file), completions=0, grades=0, size_mb=0.0)
    try:
        with contextlib.closing(_connect(file)) as connection:
            counts = {
                table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
                for table in TABLES
            }
    except (OSError, sqlite3.Error) as error:
        raise DataError(
            f"cannot read the cache {file}: {error}", hint="trueval cache clear deletes it"
        ) from error
    size = sum(part.stat().st_size for part in _parts(file) if part.exists())
    return CacheFacts(file=str(file), size_mb=round(size / 1e6, 2), **counts)


def clear(*tables: Table, path: Path | None = None) -> int:
    """Forget what the tables hold, all of them for none named; the number of entries that went.

    A file that is no cache any more is deleted when all is to go. Raises `StorageError` when
    it cannot be changed.
    """
    file = path or cache_path()
    if not file.exists():
        return 0
    gone = 0
    try:
        with contextlib.closing(_connect(file)) as connection:
            for table in tables or TABLES:
                gone += connection.execute(f"DELETE FROM {table}").rowcount
            # Another process may hold it: then its pages are used again instead.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        raise StorageError(f"cannot clear the cache {file}: {error}", hint="try again") from error
    except sqlite3.DatabaseError as error:
        if tables and set(tables) != set(TABLES):
            hint = "trueval cache clear, without options, deletes it"
            raise StorageError(f"the cache {file} is broken: {error}", hint=hint) from error
        _delete(file)
    return gone


def _connect(path: Path) -> sqlite3.Connection:
    """An open cache of our version. Raises `sqlite3.Error` for any other file."""
    connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    try:
        # Readers and a writer side by side; a crash of the machine may cost the last entries.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"its format is {version}, and not {VERSION}")
        for table in TABLES:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, value TEXT NOT NULL) "
                "WITHOUT ROWID"
            )
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _delete(file: Path) -> None:
    try:
        for part in _parts(file):
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot delete {file}: {error.strerror}", hint="delete it") from error


def _parts(file: Path) -> list[Path]:
    """The file and the two that SQLite keeps beside it."""
    return [file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))]
