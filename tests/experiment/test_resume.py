"""A real run, killed again and again, ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SAMPLES = 20
PROBLEMS = 8
SLOW_S = 0.15
"""Delay of a sample that leaves 3 s in which a run can be interrupted, however busy the machine."""


def command(output: Path, delay_s: float = 0.03) -> list[str]:
    settings = ["--task", "demo", "--backend", "scripted", "-t", "0.5", "-n", str(SAMPLES)]
    return [
        *(sys.executable, "-m", "trueval", "run", *settings, "--name", "run"),
        *("--output", str(output), "--set", f"options.delay_s={delay_s}", "--no-cache"),
    ]


def start(output: Path, delay_s: float = 0.03) -> subprocess.Popen[bytes]:
    env = {**os.environ, "TRUEVAL_CACHE": str(output.parent / "cache")}
    return subprocess.Popen(
        command(output, delay_s),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
        # A test run in the background may have Ctrl-C ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(output: Path, delay_s: float = 0.03) -> dict[str, Any]:
    process = start(output, delay_s)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    found: dict[str, Any] = json.loads((output / "run" / "estimates.json").read_text())
    return found


def rows(output: Path) -> list[dict[str, Any]]:
    lines = (output / "run" / "samples.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for row in found:
        row["completion"].pop("duration_s")
        row["grade"].pop("duration_s")
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "runs"
    finish(output)
    return output


def test_kill_9_at_random_moments_loses_and_doubles_nothing(
    undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "runs"
    shutil.copytree(undisturbed.parent / "cache", tmp_path / "cache")
    draw = random.Random(7)
    lines = output / "run" / "samples.jsonl"
    grown = [0]
    for _ in range(12):
        process = start(output)
        # Not before the run has begun: the moments that matter are those of writing.
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            if lines.exists() and lines.read_bytes().count(b"\n") > grown[-1]:
                break
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        grown.append(lines.read_bytes().count(b"\n"))
    assert sorted(grown) == grown, "a finished sample was lost"
    assert grown[1] < SAMPLES * PROBLEMS, "the first kill came too late to show anything"
    summary = finish(output)
    expected = json.loads((undisturbed / "run" / "estimates.json").read_text())
    assert summary["raw"] == expected["raw"]
    assert summary["tokens"] == expected["tokens"]
    assert rows(output) == rows(undisturbed)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_in_order_and_says_how_to_go_on(
    undisturbed: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    output = tmp_path / "runs"
    shutil.copytree(undisturbed.parent / "cache", tmp_path / "cache")
    process = start(output, SLOW_S)
    lines = output / "run" / "samples.jsonl"
    while not lines.exists() or not lines.read_bytes():
        time.sleep(0.01)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 5, errors.decode()
    assert b"the same command resumes" in errors
    assert b"Traceback" not in errors
    finish(output, SLOW_S)
    assert rows(output) == rows(undisturbed)


def can_mount() -> bool:
    try:
        probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs a mount namespace for a small disk")
def test_a_full_disk_stops_with_one_message_and_room_lets_it_resume(
    undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "runs"
    output.mkdir()
    shutil.copytree(undisturbed.parent / "cache", tmp_path / "cache")
    run = " ".join(f"'{part}'" for part in command(output))
    script = f"""
        mount -t tmpfs -o size=96k tmpfs {output}
        {run}; echo "code $?"
        wc -l < {output}/run/samples.jsonl
        mount -o remount,size=16m {output}
        {run}; echo "code $?"
        cp -r {output}/run {tmp_path}/kept
    """
    env = {**os.environ, "TRUEVAL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script], capture_output=True, text=True, env=env, timeout=60
    )
    first, second = (line for line in done.stdout.splitlines() if line.startswith("code "))
    assert (first, second) == ("code 4", "code 0"), done.stderr
    assert "No space left on device" in done.stderr
    assert "the same command then resumes" in done.stderr
    assert "Traceback" not in done.stderr
    shutil.move(tmp_path / "kept", output / "run")
    assert rows(output) == rows(undisturbed)
