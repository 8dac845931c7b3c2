"""Runs of one file that go on side by side, against real servers on this machine.

The servers play machines elsewhere: `elsewhere` has trueval take them for such.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Quiet
from tests.experiment.stand_in import StandIn, at_once
from trueval.cli import _main
from trueval.experiment.experiments import Experiments, load_experiments
from trueval.experiment.lanes import HERE, lanes, side_by_side
from trueval.experiment.sequence import Result, run_experiments
from trueval.experiment.sharing import Cores, Graders
from trueval.generate.scripted import ScriptedBackend
from trueval.grade.functional import FunctionalGrader
from trueval.tasks.demo import Demo

Read = Callable[..., Experiments]
PATIENCE_S = 90
"""For what takes seconds: one after the other, it would never end."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueval.generate.server._is_loopback", lambda _root: False)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """An experiments file for the demo task, as it is read."""

    def to_experiments(*experiments: Any, output: str = "runs", **content: Any) -> Experiments:
        file = tmp_path / "file.yml"
        top = {"task": "demo", "output": str(tmp_path / output), "cache": False, **content}
        if experiments:
            top["experiments"] = list(experiments)
        file.write_text(yaml.safe_dump(top, sort_keys=False))
        return load_experiments(file, {})

    return to_experiments


def asking(name: str, url: str, **settings: Any) -> dict[str, Any]:
    options = {"base_url": url, **settings.pop("options", {})}
    return {"name": name, "mode": "completion", "options": options, **settings}


def scripted(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "backend": "scripted", **settings}


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.summary is not None
    lines = (Path(result.summary["run_dir"]) / "samples.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for row in found:
        row["completion"].pop("duration_s")
        row["grade"].pop("duration_s")
    return found


async def carried_out(experiments: Experiments, screen: Quiet) -> list[Result]:
    async with asyncio.timeout(PATIENCE_S):
        return await run_experiments(experiments, screen=screen)


# --------------------------------------------------------------------------- the overlap


@pytest.mark.usefixtures("elsewhere")
async def test_two_servers_are_asked_at_the_same_time(read: Read, quiet: Quiet) -> None:
    one: StandIn = StandIn(wait=lambda: other.asked.wait())
    other = StandIn(wait=lambda: one.asked.wait())
    async with one, other:
        results = await carried_out(read(asking("a", one.url), asking("b", other.url)), quiet)
    assert [result.experiment.name for result in results] == ["a", "b"]
    assert [result.score for result in results] == [5 / 8, 5 / 8]


@pytest.mark.usefixtures("elsewhere")
async def test_a_server_is_asked_beside_a_model_of_this_machine(
    read: Read, quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = asyncio.Event()
    draw = ScriptedBackend.draw
    server = StandIn(wait=drawn.wait)

    async def tells(self: Any, request: Any) -> Any:
        drawn.set()
        await server.asked.wait()
        return await draw(self, request)

    monkeypatch.setattr(ScriptedBackend, "draw", tells)
    async with server:
        results = await carried_out(read(scripted("here"), asking("there", server.url)), quiet)
    assert [result.score for result in results] == [0.75, 5 / 8]


@pytest.mark.usefixtures("elsewhere")
async def test_runs_of_one_server_share_its_connections(read: Read, quiet: Quiet) -> None:
    full = asyncio.Event()

    async def until_full() -> None:
        if server.in_flight == 5:
            full.set()
        # Two samples a run: only several runs together ever have five on their way.
        await full.wait()

    server = StandIn(wait=until_full)
    async with server:
        runs = [
            asking(f"r{n}", server.url, limit=2, sampling={"max_tokens": 40 + n}) for n in range(4)
        ]
        file = read(*runs, options={"concurrency": 5})
        results = await carried_out(file, quiet)
    assert [result.error for result in results] == [None] * 4
    assert (server.requests, server.most) == (8, 5)


# --------------------------------------------------------------------------- nothing else changes


async def test_side_by_side_comes_to_what_one_after_the_other_does(
    read: Read, quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def carry_out(output: str) -> list[Result]:
        file = [
            asking("a", one.url, samples=3, sampling={"temperature": 0.5}),
            scripted("b", options={"delay_s": 0.01}),
            asking("c", other.url, post="repair"),
            asking("d", one.url, prompt="fewshot", grading={"timeout_s": 4}),
        ]
        return await carried_out(read(*file, output=output), quiet)

    async with StandIn() as one, StandIn(lapse=2) as other:
        in_turn = await carry_out("in-turn")
        monkeypatch.setattr("trueval.generate.server._is_loopback", lambda _root: False)
        beside = await carry_out("beside")
    for before, now in zip(in_turn, beside, strict=True):
        assert before.summary is not None
        assert now.summary is not None
        assert now.experiment.name == before.experiment.name
        assert now.score == before.score is not None
        assert now.summary["raw"] == before.summary["raw"]
        assert now.summary["repaired"] == before.summary["repaired"]
        manifests = before.summary["manifest"], now.summary["manifest"]
        assert manifests[0]["config_digest"] == manifests[1]["config_digest"]
        assert rows(now) == rows(before)


@pytest.mark.usefixtures("elsewhere")
async def test_one_that_fails_stops_no_other(read: Read, quiet: Quiet) -> None:
    async with StandIn() as server:
        file = read(
            asking("dead", "http://127.0.0.1:9"), asking("alive", server.url), scripted("here")
        )
        dead, alive, here = await carried_out(file, quiet)
    assert "no server at http://127.0.0.1:9" in str(dead.error)
    assert (alive.score, here.score) == (5 / 8, 0.75)
    assert any(message.startswith("experiment dead: ") for message in quiet.messages)


@pytest.mark.usefixtures("elsewhere")
async def test_an_interrupt_ends_all_and_the_same_command_goes_on(
    read: Read, quiet: Quiet, tmp_path: Path
) -> None:
    more = asyncio.Event()
    one = StandIn(wait=lambda: more.wait() if one.requests > 3 else at_once())
    other = StandIn(wait=lambda: more.wait() if other.requests > 3 else at_once())

    def stored(name: str) -> int:
        file = tmp_path / "runs" / name / "samples.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    async with one, other:
        file = read(asking("a", one.url), asking("b", other.url), options={"concurrency": 1})
        running = asyncio.create_task(run_experiments(file, screen=quiet))
        async with asyncio.timeout(PATIENCE_S):
            while (stored("a"), stored("b")) != (3, 3):  # noqa: ASYNC110 - files tell no event
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        more.set()
        before = one.requests, other.requests
        results = await carried_out(file, quiet)
        assert (one.requests - before[0], other.requests - before[1]) == (5, 5)
    assert [result.score for result in results] == [5 / 8, 5 / 8]
    for result in results:
        assert result.summary is not None
        assert "resumed: 3 of 8 samples were here before" in result.summary["notes"]


# --------------------------------------------------------------------------- who goes where


@pytest.mark.usefixtures("elsewhere")
def test_each_place_is_a_lane_and_each_model_a_group(read: Read) -> None:
    more = {"extra_body": {"x": 1}}
    found = lanes(
        read(
            scripted("a"),
            asking("b", "http://user:secret@one:1/v1"),
            scripted("c", options={"concurrency": 2}),
            asking("d", "one:1", options=more),
            scripted("e"),
            asking("f", "https://two"),
            asking("g", "http://user:secret@one:1/v1"),
        )
    )
    assert [
        (lane.place, [[unit.name for unit in group] for group in lane.groups]) for lane in found
    ] == [
        (HERE, [["a", "e"], ["c"]]),
        ("http://one:1", [["b", "g"], ["d"]]),
        ("https://two", [["f"]]),
    ]
    assert [lane.width for lane in found] == [1, 4, 4]


def test_a_server_on_this_machine_takes_its_turn(read: Read) -> None:
    file = read(asking("a", "http://localhost:1"), asking("b", "http://127.0.0.1:2"))
    [lane] = lanes(file)
    assert lane.here
    assert not side_by_side((lane,))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("over", "place"),
    [("sampling.max_tokens", "http://one"), ("options.base_url", HERE), ("model", HERE)],
)
def test_a_search_is_done_in_order_where_its_models_may_be(
    read: Read, over: str, place: str
) -> None:
    values: Any = {"sampling.max_tokens": [2, 400]}.get(over, ["http://one", "http://two"])
    sweep = {"over": {over: values}, "search": "tpe"}
    [lane] = lanes(read(**asking("s", "http://one"), sweep=sweep))
    assert lane.place == place
    [[unit]] = lane.groups
    assert (unit.name, unit.sweep is not None) == ("s", True)


@pytest.mark.usefixtures("elsewhere")
def test_a_dry_run_says_what_goes_on_side_by_side(
    read: Read, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(scripted("a"), asking("b", "http://one:1"), asking("c", "http://one:1"), scripted("d"))
    assert _main(["run", str(tmp_path / "file.yml"), "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "  this machine, one after the other: a, d\n" in planned
    assert "  http://one:1, up to 4 at a time: b, c\n" in planned
    read(scripted("a"), scripted("d"))
    assert _main(["run", str(tmp_path / "file.yml"), "--dry-run"]) == 0
    assert "side by side" not in capsys.readouterr().out


# --------------------------------------------------------------------------- what is shared


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Workers of all graders that are open, after each was opened or closed."""
    found: list[int] = [0]

    async def opened(self: FunctionalGrader) -> Any:
        found.append(found[-1] + self.concurrency)
        return {"isolation": "full", "workers": self.concurrency}

    async def closed(self: FunctionalGrader) -> None:
        found.append(found[-1] - self.concurrency)

    monkeypatch.setattr(FunctionalGrader, "open", opened)
    monkeypatch.setattr(FunctionalGrader, "close", closed)
    return found


async def test_graders_of_runs_side_by_side_have_the_workers_of_one(
    read: Read, at_work: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    runs = read(scripted("a"), scripted("b", grading={"timeout_s": 4}), scripted("c")).listed
    assert runs is not None
    graders = Graders(kinds=2, background=True)
    a, b, c = (run.config for run in runs)
    task = Demo().load()
    async with graders.use(a, task) as one, graders.use(b, task) as two, graders.use(c, task) as it:
        assert it == one
        assert it[0] is one[0] is not two[0]
    third = b.model_copy(update={"grading": b.grading.model_copy(update={"timeout_s": 5.0})})
    async with graders.use(third, task):
        pass  # in the place of one that nobody used
    await graders.close()
    assert at_work == [0, 2, 4, 2, 4, 2, 0]


async def test_who_grades_alone_has_nothing_beside_it() -> None:
    cores, order = Cores(), list[str]()
    release = asyncio.Event()

    async def beside(name: str) -> None:
        async with cores.beside():
            order.append(name)
            await release.wait()
            order.append(f"{name} done")

    async def alone() -> None:
        async with cores.alone():
            order.append("alone")
            await asyncio.sleep(0)
            order.append("alone done")

    async with asyncio.TaskGroup() as group:
        group.create_task(beside("a"))
        group.create_task(beside("b"))
        await asyncio.sleep(0)
        group.create_task(alone())
        await asyncio.sleep(0)
        group.create_task(beside("c"))
        await asyncio.sleep(0)
        release.set()
    assert order == ["a", "b", "a done", "b done", "alone", "alone done", "c", "c done"]
