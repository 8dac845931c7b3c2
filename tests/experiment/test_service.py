"""The service as clients meet it: a real server on a loopback port, with the real grader."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from trueval.errors import ConfigError
from trueval.experiment.http import MAX_BODY_BYTES
from trueval.experiment.service import GradingService, ServiceSettings
from trueval.grade.functional import FunctionalGrader
from trueval.tasks.demo import Demo
from trueval.types import Failure, Grade, Program, Reference

DEMO = Demo().load()
RIGHT = [
    {"task_id": key, "completion": reference.canonical_solution}
    for key, reference in DEMO.references.items()
]
WRONG = {"task_id": "Demo/1", "solution": "def shout(text): return text"}


class Gate:
    """A grader that answers when it is told to."""

    name, concurrency = "gate", 2

    def __init__(self) -> None:
        self.open_ = asyncio.Event()
        self.calls = 0

    async def open(self) -> dict[str, Any]:
        return {"isolation": "none"}

    async def grade(
        self, program: Program, reference: Reference, *, alone: bool = False
    ) -> Grade | Failure:
        self.calls += 1
        await self.open_.wait()
        if program.source == "infra":
            return Failure(stage="grade", message="gone")
        return Grade(verdict="passed")

    async def close(self) -> None:
        self.open_.set()


@asynccontextmanager
async def serving(grader: Any = None, **settings: Any) -> AsyncIterator[Any]:
    """A running service and a client of it."""
    grader = grader or FunctionalGrader(workers=2, timeout_s=1.0)
    service = GradingService(grader, ServiceSettings(port=0, tasks=("demo",), **settings))
    url = await service.start()
    try:
        async with aiohttp.ClientSession(url) as client:
            yield service, client
    finally:
        await service.stop()


async def ask(client: aiohttp.ClientSession, path: str, body: Any, **kwargs: Any) -> Any:
    """Status and content of one answer."""
    given = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
    async with client.post(path, **given, **kwargs) as reply:
        return reply.status, await reply.json()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task or process brings about."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - whoever changes it has no event to offer
            await asyncio.sleep(0.01)


async def test_single_batch_and_stream_give_the_same_verdicts() -> None:
    samples = [*RIGHT, WRONG]
    expected = ["passed"] * 8 + ["wrong"]
    async with serving() as (service, client):
        singles = [await ask(client, "/grade", {"task": "demo", **one}) for one in samples]
        assert [content["verdict"] for _, content in singles] == expected
        status, found = await ask(client, "/grade/batch", {"task": "demo", "samples": samples})
        assert status == 200
        assert [line["verdict"] for line in found["results"]] == expected
        assert [line["index"] for line in found["results"]] == [*range(9)]
        accept = {"Accept": "application/x-ndjson"}
        async with client.post("/grade/batch", json={"samples": samples}, headers=accept) as reply:
            assert reply.content_type == "application/x-ndjson"
            lines = [json.loads(line) async for line in reply.content]
        assert [line["verdict"] for line in lines] == expected
        async with client.get("/health") as reply:
            health = await reply.json()
        assert health["status"] == "ok" and health["queue"] == 0 and health["graded"] == 27
        assert health["isolation"] == service.isolation
        assert health["tasks"] == {"demo": DEMO.digest}


async def test_fifty_clients_at_a_time_each_get_their_own_answers() -> None:
    async with serving() as (service, client):
        bodies = [{"samples": [*RIGHT[: 1 + i % 8], WRONG]} for i in range(50)]
        found = await asyncio.gather(*(ask(client, "/grade/batch", body) for body in bodies))
        for i, (status, content) in enumerate(found):
            verdicts = [line["verdict"] for line in content["results"]]
            assert (status, verdicts) == (200, ["passed"] * (1 + i % 8) + ["wrong"])
        assert service.pending == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/grade", b"{", 400, "no JSON: Expecting"),
        ("/grade", b"\xff", 400, "no JSON"),
        ("/grade", b"[" * 100_000, 400, "no JSON"),
        ("/grade", [], 400, "no JSON object"),
        ("/grade", {}, 400, "no `task_id`"),
        ("/grade", {"task_id": "Demo/0"}, 400, "neither `completion` nor `solution`"),
        ("/grade", {"task_id": "Demo/99", "completion": ""}, 404, "no problem 'Demo/99'"),
        ("/grade", {"task": "humaneval"}, 404, "'humaneval' is not served"),
        ("/grade", {"task": 3}, 404, "'3' is not served"),
        ("/grade/batch", {"samples": {}}, 400, "no list `samples`"),
        ("/grade/batch", {"samples": [RIGHT[0], 3]}, 400, "sample 1: neither a pair"),
        ("/grade/batch", {"samples": [{"task_id": "x"}]}, 404, "sample 0: the task 'demo'"),
        ("/grade/batch", {"samples": [WRONG] * 101}, 413, "more than ever fit"),
        ("/grade", b" " * (MAX_BODY_BYTES + 1), 413, "too large"),
        ("/nothing", {}, 404, "not found"),
        ("/health", {}, 405, "method not allowed"),
    ],
)
async def test_a_mistake_is_answered_with_what_is_wrong(
    path: str, body: Any, status: int, message: str
) -> None:
    async with serving(Gate(), max_queue=100) as (service, client):
        found, content = await ask(client, path, body)
        assert found == status
        assert message in content["error"]
        assert set(content) == {"error", "hint"}
        assert service.pending == 0


async def test_without_the_token_nothing_is_answered() -> None:
    async with serving(Gate(), token="secret") as (_, client):
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            for path in ("/grade", "/grade/batch"):
                status, content = await ask(client, path, RIGHT[0], headers=header)
                assert (status, content["error"]) == (401, "the token is missing or wrong")
            async with client.get("/health", headers=header) as reply:
                assert reply.status == 401
        async with client.get("/health", headers={"Authorization": "Bearer secret"}) as reply:
            assert reply.status == 200


@pytest.mark.parametrize(
    "header", [{"Host": "evil.example"}, {"Host": "x:80"}, {"Origin": "http://127.0.0.1"}]
)
async def test_a_web_page_cannot_grade_here(header: dict[str, str]) -> None:
    async with serving(Gate()) as (_, client):
        assert (await ask(client, "/grade", RIGHT[0], headers=header))[0] == 403
        async with client.get("/health", headers={"Host": "localhost:1"}) as reply:
            assert reply.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_other_machines_need_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="no token is set") as refused:
        ServiceSettings(host=host)
    assert "TRUEVAL_TOKEN" in refused.value.hint
    ServiceSettings(host=host, token="secret")


async def test_a_full_queue_says_so_and_loses_nothing_accepted() -> None:
    gate = Gate()
    async with serving(gate, max_queue=10) as (service, client):
        first = asyncio.create_task(ask(client, "/grade/batch", {"samples": RIGHT}))
        await until(lambda: service.pending == 8)
        assert (await ask(client, "/grade/batch", {"samples": RIGHT}))[0] == 429
        async with client.post("/grade/batch", json={"samples": [WRONG] * 3}) as reply:
            assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
            assert "8 of 10 places are taken" in (await reply.json())["hint"]
        second = asyncio.create_task(ask(client, "/grade/batch", {"samples": [WRONG] * 2}))
        await until(lambda: service.pending == 10)
        gate.open_.set()
        assert [len((await task)[1]["results"]) for task in (first, second)] == [8, 2]
        assert service.pending == 0


async def test_what_has_no_verdict_is_no_wrong_answer() -> None:
    gate = Gate()
    gate.open_.set()
    async with serving(gate) as (_, client):
        status, content = await ask(client, "/grade", {"task_id": "Demo/0", "solution": "infra"})
        assert (status, content["passed"], content["verdict"]) == (200, None, "infra")


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_a_client_that_leaves_takes_its_samples_with_it(accept: str) -> None:
    gate = Gate()
    async with serving(gate) as (service, client):
        work = asyncio.create_task(
            ask(client, "/grade/batch", {"samples": [WRONG] * 500}, headers={"Accept": accept})
        )
        await until(lambda: gate.calls > 0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await asyncio.sleep(0.1)
        gate.open_.set()
        await until(lambda: not service.pending)
        assert gate.calls <= 8  # what ran was let finish, and nothing else was begun
        assert (await ask(client, "/grade", WRONG))[1]["verdict"] == "passed"


async def test_a_client_that_leaves_a_real_grader_disturbs_no_other() -> None:
    slow = "def shout(text):\n import time; time.sleep(0.1); return text.upper() + '!'"
    leaving = {"samples": [{"task_id": "Demo/1", "solution": slow}] * 50}
    async with serving() as (service, client):
        work = asyncio.create_task(ask(client, "/grade/batch", leaving))
        staying = asyncio.create_task(ask(client, "/grade/batch", {"samples": RIGHT}))
        await until(lambda: service.graded > 0)
        work.cancel()
        _, content = await staying
        assert [line["verdict"] for line in content["results"]] == ["passed"] * 8
        await until(lambda: not service.pending)
        assert service.graded < 50


async def test_stopping_answers_what_was_accepted_and_refuses_the_rest() -> None:
    gate = Gate()
    async with serving(gate) as (service, client):
        accepted = asyncio.create_task(ask(client, "/grade/batch", {"samples": RIGHT}))
        await until(lambda: service.pending > 0)
        stopping = asyncio.create_task(service.stop())
        await asyncio.sleep(0.05)
        status, content = await ask(client, "/grade", WRONG)
        assert (status, content["error"]) == (503, "the server is stopping")
        gate.open_.set()
        status, content = await accepted
        assert (status, len(content["results"])) == (200, 8)
        await stopping


async def test_a_port_in_use_is_named() -> None:
    async with serving(Gate()) as (service, _):
        port = service._runner.addresses[0][1]
        other = GradingService(Gate(), ServiceSettings(port=port, tasks=("demo",)))
        with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1, port {port}"):
            await other.start()


def command(*arguments: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "trueval", "serve-grader", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    with command("--task", "demo", "--port", "0", "--workers", "1", TRUEVAL_TOKEN="t") as server:
        assert server.stderr is not None
        ready = await asyncio.to_thread(server.stderr.readline)
        found = re.search(r"grading demo at (http://127\.0\.0\.1:\d+) \(isolation \w+\)", ready)
        assert found, ready
        header = {"Authorization": "Bearer t"}
        async with aiohttp.ClientSession(found[1], headers=header) as client:
            assert (await ask(client, "/grade", WRONG))[1]["verdict"] == "wrong"
            body = {"samples": RIGHT * 20}
            owed = asyncio.create_task(ask(client, "/grade/batch", body))
            async with asyncio.timeout(5):
                while (await (await client.get("/health")).json())["queue"] == 0:
                    assert not owed.done()
            server.send_signal(number)
            assert len((await owed)[1]["results"]) == 160
        output, errors = await asyncio.to_thread(server.communicate, timeout=20)
    assert (server.returncode, output) == (0, "")
    assert "Traceback" not in errors and "Warning" not in errors


def test_the_command_refuses_an_open_door() -> None:
    with command("--host", "0.0.0.0", "--task", "demo", TRUEVAL_TOKEN="") as server:
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 2
    assert "no token is set" in errors and "TRUEVAL_TOKEN" in errors
