from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.tuning.wheels import function, write_wheel
from trueval.cli.train import command
from trueval.tasks.humaneval import HumanEval
from trueval.tuning.corpus import SALT, Sources, collect, combine, split_of
from trueval.tuning.decontaminate import Index, index

NOTHING = Index((), {}, {})


def build(
    shelf: Path, out: Path, *names: str, against: Index = NOTHING, workers: int = 1
) -> dict[str, Any]:
    sources = Sources(folders=(shelf,), offline=True)
    missing = collect(names, sources, out / "work", workers=workers, say=lambda _: None)
    return combine(names, out / "work", out, against, missing=missing)


def rows(out: Path) -> list[dict[str, str]]:
    files = sorted((out / "functions").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_refused_licences_are_counted_and_leave_nothing(tmp_path: Path) -> None:
    write_wheel(tmp_path, "good", {"a.py": function("f", "alpha")})
    write_wheel(tmp_path, "gnu", {"a.py": function("g", "beta")}, licence="License: GPLv3")
    write_wheel(tmp_path, "none", {"a.py": function("h", "gamma")}, licence="Summary: x")
    manifest = build(tmp_path, tmp_path / "out", "good", "gnu", "none", "absent")
    assert [row["package"] for row in rows(tmp_path / "out")] == ["good"]
    assert [(each["name"], each["licence"]) for each in manifest["refused"]] == [
        ("gnu", "GPLv3"),
        ("none", "none named"),
    ]
    assert manifest["missing"] == ["absent"]
    notice = (tmp_path / "out" / "NOTICE").read_text("utf-8")
    assert "good 1.0\n  licence: MIT\n" in notice and "gnu" not in notice


def test_copies_are_kept_once_and_counted(tmp_path: Path) -> None:
    renamed = function("f", "alpha").replace("total", "sum_").replace("items", "things")
    write_wheel(tmp_path, "a", {"m.py": function("f", "alpha")})
    write_wheel(tmp_path, "b", {"m.py": function("f", "alpha"), "n.py": renamed})
    write_wheel(tmp_path, "c", {"m.py": function("f", "beta")})
    manifest = build(tmp_path, tmp_path / "out", "a", "b", "c")
    assert [row["package"] for row in rows(tmp_path / "out")] == ["a", "c"]
    assert manifest["filters"] == {"exact duplicate": 1, "near duplicate": 1}


def test_benchmarks_are_kept_out_by_line_and_by_body(tmp_path: Path) -> None:
    task = HumanEval().load()
    problem = task.problems[0]
    solution = problem.prefix + task.references[problem.problem_id].canonical_solution
    line = max((line.strip() for line in problem.prefix.split("\n")), key=len)
    quoting = function("g", "alpha").replace("Count what has alpha.", line.strip('"'))
    renamed = solution.replace("threshold", "limit").replace('    """', '    """New.', 1)
    files = {"a.py": renamed, "b.py": quoting, "c.py": function("h", "beta")}
    write_wheel(tmp_path, "pack", files)
    manifest = build(tmp_path, tmp_path / "out", "pack", against=index([task]))
    assert [row["name"] for row in rows(tmp_path / "out")] == ["h"]
    assert manifest["contaminated"] == {"humaneval": 2}
    # Without the benchmark all three are there: it is what keeps the two out.
    build(tmp_path, tmp_path / "all", "pack")
    assert len(rows(tmp_path / "all")) == 3


def test_a_run_goes_on_after_a_cut_and_reads_nothing_twice(tmp_path: Path) -> None:
    shelf, out = tmp_path / "shelf", tmp_path / "out"
    for name in ("a", "b"):
        write_wheel(shelf, name, {"m.py": function("f", name)})
    whole = (shelf / "b-1.0-py3-none-any.whl").read_bytes()
    (shelf / "b-1.0-py3-none-any.whl").write_bytes(whole[: len(whole) // 2])
    assert build(shelf, out, "a", "b")["missing"] == ["b"]
    before = (out / "work" / "a.json").stat().st_mtime_ns
    (shelf / "a-1.0-py3-none-any.whl").unlink()
    (shelf / "b-1.0-py3-none-any.whl").write_bytes(whole)
    # As an interruption leaves it: the functions are there, the record that ends a package is not.
    (out / "work" / "b.jsonl").write_text("[half", "utf-8")
    resumed = build(shelf, out, "a", "b")
    assert resumed["missing"] == []
    assert (out / "work" / "a.json").stat().st_mtime_ns == before
    write_wheel(shelf, "a", {"m.py": function("f", "a")})
    assert resumed["sha256"] == build(shelf, tmp_path / "fresh", "a", "b")["sha256"]


def test_more_workers_make_the_same(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    for name in names:
        write_wheel(tmp_path, name, {"m.py": function("f", name)})
    one = build(tmp_path, tmp_path / "one", *names)
    two = build(tmp_path, tmp_path / "two", *names, workers=2)
    assert one == two
    assert rows(tmp_path / "one") == rows(tmp_path / "two")


def test_the_manifest_has_the_digests_of_what_was_read_and_written(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "pack", {"m.py": function("f")})
    manifest = build(tmp_path, tmp_path / "out", "pack")
    (facts,) = manifest["packages"]
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts["licence"], facts["functions"], facts["origin"]) == ("MIT", 1, path.name)
    for name, sha256 in manifest["sha256"].items():
        content = (tmp_path / "out" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
    written = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    assert written == manifest


def test_a_package_is_on_one_side_only_and_never_moves() -> None:
    names = [f"package-{number}" for number in range(5000)]
    sides = [split_of(name) for name in names]
    assert sides == [split_of(name) for name in names]
    for split in ("validation", "dev"):
        assert 0.01 < sides.count(split) / len(names) < 0.03
    # Another salt would move packages that models have learned from into what they are tested on.
    assert SALT == "trueval train data 1"
    assert {name: split_of(name) for name in ("python", "sympy")} == {
        "python": "train",
        "sympy": "train",
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_makes_a_folder_and_says_what_is_in_it(tmp_path: Path, as_json: bool) -> None:
    write_wheel(tmp_path / "shelf", "pack", {"m.py": function("f")})
    write_wheel(tmp_path / "shelf", "gnu", {"m.py": function("g")}, licence="License: GPL")
    call = ["data", "--out", str(tmp_path / "out"), "--from", str(tmp_path / "shelf"), "--offline"]
    call += ["--no-stdlib", "-p", "pack", "-p", "GNU", "--workers", "1"] + ["--json"] * as_json
    done = CliRunner().invoke(command, call, catch_exceptions=False)
    assert done.exit_code == 0
    assert "[1/2] pack 1.0: 1 functions (MIT)" in done.stderr
    assert "[2/2] gnu 1.0: refused, licence GPL" in done.stderr
    if as_json:
        facts = json.loads(done.stdout)
        assert (facts["packages"], facts["refused"]) == (1, 1)
    else:
        assert "\nrefused           1\n" in done.stdout


def test_a_wrong_subcommand_is_answered_with_the_nearest_one() -> None:
    done = CliRunner().invoke(command, ["dat"])
    assert "did you mean 'data'?" in done.output


def test_nothing_of_a_package_is_run(tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n\n\n" + function("f")
    write_wheel(tmp_path, "pack", {"__init__.py": trap, "setup.py": trap.replace("alpha", "b")})
    build(tmp_path, tmp_path / "out", "pack")
    assert len(rows(tmp_path / "out")) == 1
    assert not (tmp_path / "ran").exists()
