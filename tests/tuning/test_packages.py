from __future__ import annotations

import importlib.metadata
import os
import zipfile
from pathlib import Path

import pytest

from tests.tuning.wheels import MIT, function, metadata, write_wheel
from trueval.errors import ConfigError, DataError
from trueval.tuning.packages import Shelf, fetched, installed, listed, standard_library, wheel


def test_a_wheel_is_read_without_its_vendored_code(tmp_path: Path) -> None:
    files = {"a.py": function("f"), "_vendor/b.py": function("g"), "data.txt": "no"}
    path = write_wheel(tmp_path, "pack", files)
    package = wheel(path)
    assert (package.name, package.version, package.origin) == ("pack", "1.0", path.name)
    assert package.sources == (("pack/a.py", function("f")),)
    assert package.vendored == 1
    assert package.licence.permitted


def test_nothing_is_read_of_a_package_whose_licence_is_refused(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "gnu", {"a.py": function("f")}, licence="License: GPLv3")
    package = wheel(path)
    assert not package.licence.permitted
    assert package.sources == ()


def test_a_wheel_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "pack", {"a.py": function("f")})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read"):
        wheel(path)


def test_a_wheel_whose_bytes_are_broken_says_so(tmp_path: Path) -> None:
    path = tmp_path / "pack-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack/a.py", function("f") * 20)
        archive.writestr("pack-1.dist-info/METADATA", metadata("pack", "1", MIT))
    whole = bytearray(path.read_bytes())
    start = whole.index(b"pack/a.py") + len("pack/a.py")
    whole[start : start + 20] = b"\xff" * 20
    path.write_bytes(whole)
    with pytest.raises(DataError, match="cannot be read"):
        wheel(path)


def test_a_file_that_is_not_named_as_a_wheel_is_said(tmp_path: Path) -> None:
    (tmp_path / "foo.whl").touch()
    with pytest.raises(ConfigError, match=r"foo\.whl is not named as a wheel"):
        Shelf([tmp_path])


@pytest.mark.parametrize("folder", ["third_party", "thirdparty", "thirdparty_files", "_vendor"])
def test_folders_of_other_peoples_code_are_left_out(folder: str, tmp_path: Path) -> None:
    files = {"a.py": function("f"), f"{folder}/b.py": function("g")}
    package = wheel(write_wheel(tmp_path, "pack", files))
    assert (len(package.sources), package.vendored) == (1, 1)


def test_files_under_another_licence_are_left_out_and_counted(tmp_path: Path) -> None:
    other = "# SPDX-License-Identifier: GPL-3.0-only\n" + function("g")
    package = wheel(write_wheel(tmp_path, "pack", {"a.py": function("f"), "b.py": other}))
    assert [name for name, _ in package.sources] == ["pack/a.py"]
    assert package.other_licence == 1


def test_a_zip_that_is_no_wheel_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pack-1-py3-none-any.whl", "w") as archive:
        archive.writestr("a.py", "")
    with pytest.raises(DataError, match="no wheel"):
        wheel(tmp_path / "pack-1-py3-none-any.whl")


def test_the_newest_version_of_a_folder_is_taken_and_the_first_folder_wins(tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "1.10rc1"):
        write_wheel(tmp_path / "one", "My_Pack", {"a.py": ""}, version=version)
    write_wheel(tmp_path / "two", "my_pack", {"a.py": ""}, version="7.0")
    found = Shelf([tmp_path / "one", tmp_path / "two"]).get("my.pack")
    assert found is not None
    assert found.version == "1.10"
    assert Shelf([tmp_path]).get("my-pack") is None


def test_a_folder_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        Shelf([tmp_path / "missing"])


def test_an_installed_package_is_read_like_its_wheel(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.py").write_text(function("f"), "utf-8")
    other = "# under the GNU General Public License\n"
    (tmp_path / "pack" / "b.py").write_text(other, "utf-8")
    about = tmp_path / "pack-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(metadata("pack", "1.0", MIT), "utf-8")
    (about / "RECORD").write_text("pack/a.py,,\npack/b.py,,\n../../../bin/run.py,,\n", "utf-8")
    (distribution,) = importlib.metadata.distributions(path=[str(tmp_path)])
    package = installed(distribution)
    assert package.sources == (("pack/a.py", function("f")),)
    assert package.other_licence == 1


def test_the_standard_library_is_read_without_its_tests() -> None:
    package = standard_library()
    paths = [path for path, _ in package.sources]
    assert "json/decoder.py" in paths
    assert not [path for path in paths if path.startswith(("test/", "site-packages/"))]


def test_the_list_that_ships_can_be_read() -> None:
    assert "sympy" in listed()


@pytest.mark.parametrize("content", ["- sympy", "packages: sympy", "packages: ['-x']", ": ["])
def test_a_list_that_is_none_is_a_config_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "list.yml").write_text(content, "utf-8")
    with pytest.raises(ConfigError):
        listed(tmp_path / "list.yml")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's pip, set to a folder of this machine and nothing else."""
    pytest.importorskip("pip")
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def test_pip_fetches_a_wheel_that_is_gone_afterwards(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "pack", {"a.py": function("f")})
    with fetched("pack", tmp_path) as path:
        assert wheel(path).name == "pack"
    assert not path.exists()


def test_what_pip_cannot_fetch_is_said_in_its_words(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No matching distribution"), fetched("pack", tmp_path):
        pass
