"""Who may import whom, read off the source itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import trueval
from trueval.experiment.submission import verdict_json
from trueval.types import FailingCall, Grade, Problem, Program, Request

ROOT = Path(trueval.__file__).parent
STAGES = {"tasks", "prompts", "generate", "postprocess", "grade", "score", "report", "honesty"}
BASE = {"types", "errors", "protocols", "registry", "paths", "stops"}
ALLOWED = {
    "types": {"sampling"},
    "sampling": set(),
    "errors": set(),
    "paths": set(),
    "stops": set(),
    "protocols": {"types", "errors"},
    "registry": {"types", "errors", "protocols"},
    "config": BASE,
    **dict.fromkeys(STAGES | {"tracking"}, BASE),
    "experiment": BASE | STAGES | {"config", "tracking"},
    "diffusion": BASE,
    "tuning": BASE | STAGES | {"config", "diffusion", "experiment"},
    "cli": BASE | STAGES | {"config", "experiment", "diffusion", "tuning"},
    "__main__": {"cli"},
}
LIGHT = ("torch", "transformers", "numpy", "aiohttp", "pydantic", "yaml", "openvino_genai")


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path, *, module_level: bool = False) -> set[str]:
    """Dotted names that a file imports; at module level only, without TYPE_CHECKING blocks."""
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if module_level else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(dotted: str) -> str | None:
    """`types` for `trueval.types.X`; None for what is not ours."""
    pieces = dotted.split(".")
    return pieces[1] if pieces[0] == "trueval" and len(pieces) > 1 else None


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if part == "__init__":
        return  # the public names, each imported on first use
    used = {found for name in imports(path) if (found := part_of(name))}
    # Where that stage makes a backend like any other of the engine.
    makes = {
        ROOT / "generate" / name
        for name in ("denoiser.py", "diffusion.py", "gaps.py", "recognise.py")
    }
    engine = {"diffusion"} if path in makes else set()
    assert used - {part, "__version__"} <= ALLOWED[part] | engine


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_keeps_to_one_screenful_of_jobs(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 360


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    heavy = {"torch", "transformers", "openvino_genai", "xllamacpp", "gguf", "aiohttp", "numpy"}
    if path.relative_to(ROOT).parts[0] in ("diffusion", "tuning"):
        heavy -= {"torch", "numpy"}  # it is all tensors, and imported where it is used
    top = {name.split(".")[0] for name in imports(path, module_level=True)}
    assert not top & heavy


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_starts_without_heavy_modules(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom trueval.cli import _main\n"
        f"code = _main({arguments!r})\n"
        f"heavy = [name for name in {LIGHT!r} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_grading_a_file_starts_without_what_only_runs_need(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text('{"task_id": "HumanEval/0", "completion": "    return True"}\n', "utf-8")
    heavy = ("trueval.config", "pydantic", "yaml", "numpy", "aiohttp", "importlib.metadata")
    code = (
        "import sys\nfrom trueval.cli import _main\n"
        f"code = _main(['grade', {str(file)!r}, '--force'])\n"
        f"heavy = [name for name in {heavy!r} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SOLUTIONS = {
    # Tasks make references, graders and controls read them. Of all else only these do.
    "types.py",
    "cli/doctor.py",  # has a reference of its own
    "cli/tasks.py",  # shows a problem to whoever asks for it
    "experiment/layouts/graded.py",  # writes the true middle beside the answer, as Open-dLLM does
    "experiment/oracle.py",  # tells a model the length of the true middle: a stamped assist
    "tuning/decontaminate.py",  # takes what looks like a solution out of training data
}


def test_a_solution_is_read_by_graders_and_controls_and_few_others() -> None:
    free = {"tasks", "grade", "honesty"}
    found = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if path.relative_to(ROOT).parts[0] not in free
        and "canonical_solution" in path.read_text("utf-8")
    }
    assert found == SOLUTIONS


SHOWN = (Problem, Program, Request)
"""What prompts, models and post-processors see."""
EXPECTED_VALUES = {
    # A failing call tells an expected value: it is made, kept and shown, and read by nothing else.
    "__init__.py",  # the public name
    "types.py",
    "grade/functional.py",
    "experiment/codec.py",
    "experiment/failures.py",
    "report/rows.py",
}


def test_a_failing_call_is_for_reports_and_never_for_what_tunes() -> None:
    mention = re.compile(r"failing_call|FailingCall")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if mention.search(path.read_text("utf-8")) and "sandbox" not in path.parts
    }
    assert found == EXPECTED_VALUES
    # Neither does it leave by the way that trainers ask for verdicts.
    wrong = Grade(verdict="wrong", failing_call=FailingCall(call="f(1)", expected="7351"))
    assert "7351" not in repr(verdict_json("p", wrong))
    assert not {"failing_call"} & {field.name for kind in SHOWN for field in fields(kind)}
