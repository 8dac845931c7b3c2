"""Fetching a benchmark: from a server on this machine, into a cache of the test's own."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trueval.errors import DataError, StorageError
from trueval.tasks import published, sources
from trueval.tasks.published import Published, lines_of, pull
from trueval.tasks.rows import sha256

LINES = b'{"a": 1}\n{"a": 2}\n'
SOURCE = Published(
    task="mine",
    filename="Mine.jsonl.gz",
    url="",
    origin="here",
    license="none",
    sha256=sha256(LINES),
)


class Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        contents = {"/whole": LINES, "/packed": gzip.compress(LINES), "/other": b'{"a": 3}\n'}
        if self.path == "/torn":
            self.send_response(200)
            self.send_header("Content-Length", str(len(LINES)))
            self.end_headers()
            self.wfile.write(LINES[:5])
            return
        content = contents.get(self.path)
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return tmp_path / "cache" / "tasks" / "mine"


@pytest.mark.parametrize("name", ["whole", "packed"])
def test_it_is_fetched_once_and_then_there(
    server: str, cache: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = replace(SOURCE, url=f"{server}/{name}")
    assert lines_of(source) == lines_of(source) == LINES
    assert capsys.readouterr().err == f"fetching mine from {server}/{name}\n"
    assert [path.name for path in cache.iterdir()] == ["mine.jsonl"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("other", "not mine as published: SHA-256"),
        ("missing", "cannot fetch mine: HTTP 404 Not Found"),
        ("torn", "broke off after 5 of 18 bytes"),
    ],
)
def test_what_is_not_the_file_does_not_get_into_the_cache(
    server: str, cache: Path, name: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        pull(replace(SOURCE, url=f"{server}/{name}"), say=lambda _: None)
    assert not cache.exists()


def test_without_network_it_says_which_file_to_put_where(cache: Path) -> None:
    url = "http://127.0.0.1:9/data/Mine.jsonl.gz"
    with pytest.raises(DataError) as error:
        pull(replace(SOURCE, url=url), say=lambda _: None)
    assert url in error.value.hint
    assert "trueval tasks pull mine --from FILE" in error.value.hint
    assert str(cache / "Mine.jsonl.gz") in error.value.hint


def test_a_file_put_there_by_hand_is_found(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "Mine.jsonl.gz").write_bytes(gzip.compress(LINES))
    assert lines_of(SOURCE) == LINES


def test_a_local_file_is_taken_into_the_cache(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(LINES))
    assert pull(SOURCE, str(tmp_path / "x.gz"), say=lambda _: None).read_bytes() == LINES


def test_a_damaged_cache_says_how_to_mend_it(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "mine.jsonl").write_bytes(LINES[:-3])
    with pytest.raises(DataError, match="not mine as published") as error:
        lines_of(SOURCE)
    assert "trueval tasks pull mine" in error.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(LINES, mtime=0)[:20], "damaged gzip"),
        (b"[1, 2]", "no array of objects"),
        (b"[{}, ", "neither JSON nor JSON Lines"),
        (b'[{"b": 1}]', "rows without a"),
        (b'{"b": 1}', "line 1 has no field 'a'"),
        (b'{"a": 1}\n\n{"a"', "line 3 is not JSON"),
        (b"7", "line 1 is not a JSON object"),
    ],
)
def test_what_cannot_be_read_is_one_message(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=says):
        lines_of(replace(SOURCE, columns=("a",)), str(tmp_path / "file"))


def test_a_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*gone"):
        lines_of(SOURCE, str(tmp_path / "gone"))


def test_a_cache_that_cannot_be_written_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(LINES)
    monkeypatch.setenv("TRUEVAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="TRUEVAL_CACHE"):
        pull(SOURCE, str(tmp_path / "file"), say=lambda _: None)


def test_the_hub_s_mirror_is_asked_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources.SANTACODER.address.startswith("https://huggingface.co/datasets/bigcode/")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror/")
    assert sources.SANTACODER.address.startswith("http://mirror/datasets/bigcode/")
    assert sources.MBPP.address.startswith("https://raw.githubusercontent.com/")


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"sha256": "ab" * 32}, "SHA-256 as published"),
        ({"sha256": "4f15be2d"}, r"begins as published \(4f15be2d\)"),
        ({"md5": "ab" * 16}, "MD5 as published"),
        ({"sha256": ""}, "unverified"),
    ],
)
def test_provenance_says_how_far_the_data_was_checked(known: dict[str, str], says: str) -> None:
    import re

    assert re.search(says, replace(SOURCE, **known).provenance())  # type: ignore[arg-type]


def test_more_than_any_benchmark_is_not_kept(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="larger than any benchmark"):
        pull(replace(SOURCE, url=f"{server}/whole"), say=lambda _: None)
