"""A run's folder: samples are appended as they finish, and whatever is torn is owed again."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trueval.errors import ConfigError, DataError, StorageError
from trueval.experiment.codec import sample_from_json, sample_to_line
from trueval.types import Manifest, Sample, to_json


class RunStore:
    """`manifest.json`, `samples.jsonl` and `estimates.json` of one run, held by one process.

    A line is appended with one write as its sample finishes, so an end at any moment costs at
    most the line that was being written. A key may come twice (a failure that was tried again, a
    timeout that was graded alone): the last line counts, and `finish` leaves one line a key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples_file = folder / "samples.jsonl"
        self._places: dict[str, tuple[int, int]] = {}  # key -> (offset, length) of its last line
        self._owed: set[str] = set()  # keys whose last line is a failure
        self._lines = 0
        self._end = 0
        self._fd = -1
        self._lock = -1

    def open(self) -> None:
        """Take hold of the folder and read what is there; a torn last line is cut off."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
            self._fd = os.open(self.samples_file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            self.close()
            raise _cannot_write(self.folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise ConfigError(
                f"the run in {self.folder} is being written by another process",
                hint="wait for it, or choose another folder with --name",
            ) from error
        self._index()

    def close(self) -> None:
        """Let go of the folder. Safe to call twice."""
        for fd in (self._fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock = -1

    def __enter__(self) -> RunStore:
        self.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # ------------------------------------------------------------------ samples

    def has(self, key: str) -> bool:
        """Whether a verdict is here; a failure is owed again."""
        return key in self._places and key not in self._owed

    def __len__(self) -> int:
        return len(self._places) - len(self._owed)

    def append(self, sample: Sample) -> None:
        """Write one sample. Raises `StorageError` when the disk does not take it."""
        line = sample_to_line(sample).encode("ascii")
        try:
            written = os.write(self._fd, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            # What was half written goes: the next line must not be glued to it.
            os.ftruncate(self._fd, self._end)
            raise _cannot_write(self.samples_file, error) from error
        self._note(sample.request.key, self._end, len(line), failed=sample.infra is not None)

    def samples(self) -> Iterator[Sample]:
        """Every sample, last line of each key, in the order of the file."""
        with self.samples_file.open("rb") as file:
            for offset, length in sorted(self._places.values()):
                file.seek(offset)
                yield sample_from_json(json.loads(file.read(length)))

    def finish(self, order: Iterable[str]) -> None:
        """Leave one line a key, in the plan's order, so that how a run got here does not show."""
        ranks = [key for key in order if key in self._places]
        offsets = [self._places[key][0] for key in ranks]
        if self._lines == len(offsets) and offsets == sorted(offsets):
            return
        partial = self.folder / "samples.jsonl.partial"
        try:
            with self.samples_file.open("rb") as old, partial.open("wb") as new:
                for key in ranks:
                    offset, length = self._places[key]
                    old.seek(offset)
                    new.write(old.read(length))
                new.flush()
                os.fsync(new.fileno())
            partial.replace(self.samples_file)
        except OSError:
            # The file as it grew says the same; only its order is not as nice.
            partial.unlink(missing_ok=True)
            return
        os.close(self._fd)
        self._fd = os.open(self.samples_file, os.O_RDWR | os.O_APPEND)
        self._index()

    # ------------------------------------------------------------------ other files

    def manifest(self) -> dict[str, Any] | None:
        """The manifest as written, or None for a new run."""
        return self._read("manifest.json")

    def facts(self) -> dict[str, Any] | None:
        """The summary of an earlier command in this folder, or None."""
        return self._read("estimates.json")

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, whole or not at all."""
        self.write("manifest.json", json.dumps(to_json(manifest), indent=2) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a file of the run, whole or not at all."""
        partial = self.folder / f"{name}.partial"
        try:
            partial.write_text(text, "utf-8", "xmlcharrefreplace")
            partial.replace(self.folder / name)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise _cannot_write(self.folder / name, error) from error

    def _read(self, name: str) -> dict[str, Any] | None:
        file = self.folder / name
        try:
            return dict(json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"cannot read {file}: {error}", hint="choose another folder with --name"
            ) from error

    # ------------------------------------------------------------------ index

    def _index(self) -> None:
        self._places.clear()
        self._owed.clear()
        self._lines = self._end = 0
        with self.samples_file.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break  # torn: a write that an end cut short
                key, failed = self._key_of(line, number)
                self._note(key, self._end, len(line), failed=failed)
        os.ftruncate(self._fd, self._end)

    def _key_of(self, line: bytes, number: int) -> tuple[str, bool]:
        try:
            sample = json.loads(line)
            failed = any(
                isinstance(sample[part], Mapping) and "stage" in sample[part]
                for part in ("completion", "grade", "repaired_grade")
            )
            return sample["request"]["key"], failed
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.samples_file}, line {number}: not a sample ({error!r})",
                hint="delete that line; its sample is then drawn again",
            ) from error

    def _note(self, key: str, offset: int, length: int, *, failed: bool) -> None:
        self._places[key] = (offset, length)
        (self._owed.add if failed else self._owed.discard)(key)
        self._lines += 1
        self._end = offset + length


def _cannot_write(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(
        f"cannot write {path}: {reason}",
        hint="make room or choose another place with --output; the same command then resumes",
    )
