"""Requests a second, and CPU time a request, of `ServerBackend` against a trivial local server.

    python benchmarks/client.py [--requests 4000] [--repeats 3]

Beside it, in the same run and on the same server: a pool of 16 threads with `requests`. The server
is a process of its own that answers every POST with the same 200 bytes, so what is timed is the
client. Rounds alternate between the two, and the best round of each counts: what else the machine
does only ever slows one down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from trueval.generate import openai_api
from trueval.generate.server import ServerBackend
from trueval.types import Completion, Request, SamplingParams, TextPrompt

IN_FLIGHT = (16, 64, 256)
THREADS = 16
RESULTS = Path(__file__).parent / "results" / "client.json"
PROMPT = "def add(a: int, b: int) -> int:\n" * 16  # 512 characters, as a HumanEval prompt

# --------------------------------------------------------------------------- the server


def _reply(body: object) -> bytes:
    raw = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


MODELS = _reply({"object": "list", "data": [{"id": "trivial", "owned_by": "benchmark"}]})
ANSWER = _reply(
    {
        "choices": [{"index": 0, "text": "    return a + b\n", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
    }
)


class TrivialServer(asyncio.Protocol):
    """As little HTTP as will do: finds where a request ends, and sends a constant."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (head_end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:head_end].lower()
            _, _, length = head.partition(b"content-length: ")
            end = head_end + 4 + int(length.partition(b"\r\n")[0] or 0)
            if len(self.received) < end:
                return
            self.received = self.received[end:]
            self.transport.write(MODELS if head.startswith(b"get") else ANSWER)


async def serve() -> None:
    """Serve until stdin closes; the first line of stdout is the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(TrivialServer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


# --------------------------------------------------------------------------- the clients

Timing = tuple[float, float]
"""Requests a second, and CPU milliseconds a request."""


def timed(run: Callable[[], None], requests: int) -> Timing:
    """The timing of `run`, which makes so many requests."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return requests / wall, 1000 * cpu / requests


def one_request(number: int) -> Request:
    return Request(
        problem_id=f"benchmark/{number}",
        sample_index=0,
        model="trivial",
        prompt=TextPrompt(text=PROMPT),
        params=SamplingParams(stop=("\nclass", "\ndef")),
    )


def time_backend(url: str, requests: list[Request], in_flight: int) -> Timing:
    """`ServerBackend`, with a fixed pool of workers as a run has."""

    async def measure() -> Timing:
        backend = ServerBackend(base_url=url, concurrency=in_flight)
        await backend.open()
        left = iter(requests)

        async def work() -> None:
            for request in left:
                assert isinstance(await backend.draw(request), Completion)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        await backend.close()
        return len(requests) / wall, 1000 * cpu / len(requests)

    return asyncio.run(measure())


def time_threads(url: str, requests: list[Request], in_flight: int) -> Timing:
    """A pool of 16 threads, each with a `requests.Session`; the same body, the same reading."""
    import requests as requests_library

    local = threading.local()
    allowed = threading.Semaphore(in_flight)

    def draw(request: Request) -> None:
        if not hasattr(local, "session"):
            local.session = requests_library.Session()
            local.session.headers["Content-Type"] = "application/json"
        body = openai_api.encode(request, model="trivial", always={})
        reply = local.session.post(f"{url}/v1/completions", data=body, timeout=120)
        openai_api.decode(reply.content, request)

    def run() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            done: list[Future[None]] = []
            for request in requests:
                allowed.acquire()
                done.append(pool.submit(draw, request))
                done[-1].add_done_callback(lambda _: allowed.release())
            for future in done:
                future.result()

    return timed(run, len(requests))


# --------------------------------------------------------------------------- the comparison


def measure(url: str, count: int, repeats: int) -> list[dict[str, float]]:
    """One row for each number in flight: the best of `repeats` rounds of each client."""
    requests = [one_request(number) for number in range(count)]
    rows = []
    for in_flight in IN_FLIGHT:
        ours, threads = [], []
        for _ in range(repeats):
            ours.append(time_backend(url, requests, in_flight))
            threads.append(time_threads(url, requests, in_flight))
        (rate, cpu), (thread_rate, thread_cpu) = max(ours), max(threads)
        rows.append(
            {
                "in_flight": in_flight,
                "server_backend_requests_per_s": round(rate, 1),
                "threads_requests_per_s": round(thread_rate, 1),
                "rate_ratio": round(rate / thread_rate, 2),
                "server_backend_cpu_ms": round(cpu, 4),
                "threads_cpu_ms": round(thread_cpu, 4),
                "cpu_ratio": round(thread_cpu / cpu, 2),
            }
        )
        print(f"{in_flight} in flight: measured", file=sys.stderr)
    return rows


def show(rows: list[dict[str, float]]) -> None:
    """The table for people."""
    print(f"{'':9} | {'requests/s':^28} | {'CPU ms a request':^28}")
    print(f"in flight | {'ours':>9} {'threads':>9} {'ratio':>8} | ", end="")
    print(f"{'ours':>9} {'threads':>9} {'ratio':>8}")
    for row in rows:
        _, rate, thread_rate, rate_ratio, cpu, thread_cpu, cpu_ratio = row.values()
        print(
            f"{row['in_flight']:9} | {rate:9,.0f} {thread_rate:9,.0f} {rate_ratio:7.1f}x | ", end=""
        )
        print(f"{cpu:9.3f} {thread_cpu:9.3f} {cpu_ratio:7.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(serve())
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdin is not None
        rows = measure(
            f"http://127.0.0.1:{int(server.stdout.readline())}", args.requests, args.repeats
        )
        server.stdin.close()
    show(rows)
    result = {
        "requests": args.requests,
        "repeats": args.repeats,
        "threads": THREADS,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
