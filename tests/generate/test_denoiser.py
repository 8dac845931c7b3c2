"""The thread that fills gaps: whatever goes wrong, this request and the next are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

from safetensors.torch import load_file, save_file  # noqa: E402

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from trueval.diffusion.model import load_model  # noqa: E402
from trueval.errors import BackendError, ConfigError  # noqa: E402
from trueval.generate.denoiser import failure_of  # noqa: E402
from trueval.generate.diffusion import DiffusionBackend  # noqa: E402
from trueval.types import (  # noqa: E402
    DENOISED,
    Completion,
    DiffusionParams,
    Failure,
    InfillPrompt,
    Request,
)

WAIT_S = 60
"""Of a request that nobody answers, so that a test of it ends."""
CUDA = RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.\nmore of it")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "open-dcoder-tiny", "open-dcoder")


@pytest.fixture
async def backend(checkpoint: Path) -> AsyncIterator[DiffusionBackend]:
    backend = DiffusionBackend(model=str(checkpoint), concurrency=4, precision="f32")
    await backend.open()
    yield backend
    await asyncio.wait_for(backend.close(), WAIT_S)


def request(index: int = 0, prefix: str = "def f(x):\n    ", **given: Any) -> Request:
    diffusion = DiffusionParams(**{"steps": 6, "length": 7, **given})
    return Request(
        problem_id=f"p/{index}",
        sample_index=index,
        model="tiny",
        prompt=InfillPrompt(prefix=prefix, suffix="\n    return x\n"),
        params=replace(DENOISED, max_tokens=12, diffusion=diffusion),
    )


async def drawn(backend: DiffusionBackend, *requests: Request) -> list[Completion | Failure]:
    return await asyncio.wait_for(asyncio.gather(*map(backend.draw, requests)), WAIT_S)


def raising(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "says", "retryable"),
    [
        (CUDA, "--set options.concurrency=2, or --set options.memo_mb=0", True),
        (RuntimeError("no kernel"), "diffusion: RuntimeError: no kernel", False),
        (PermissionError(13, "Permission denied", "/cache"), "denied: '/cache'", False),
        (BackendError("no sources", hint="fixed:8"), "no sources\n  fixed:8", False),
    ],
    ids=["memory", "runtime", "file", "ours"],
)
async def test_what_a_search_dies_of_is_its_own_sample_s_failure(
    backend: DiffusionBackend,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    says: str,
    retryable: bool,
) -> None:
    monkeypatch.setattr(backend._denoisers[0].search, "find", raising(error))
    lost, kept = await drawn(backend, request(length="search"), request(1))
    assert isinstance(lost, Failure) and isinstance(kept, Completion)
    assert says in lost.message
    assert (lost.stage, lost.retryable) == ("generate", retryable)
    [after] = await drawn(backend, request(2))
    assert isinstance(after, Completion)


@pytest.mark.parametrize("length", [7, "search"])
async def test_half_a_character_in_a_prompt_is_one_failure(
    backend: DiffusionBackend, length: Any
) -> None:
    lost, kept = await drawn(backend, request(prefix="x = '\ud800'\n", length=length), request(1))
    assert isinstance(lost, Failure) and "lone surrogate" in lost.message
    assert isinstance(kept, Completion)


@pytest.mark.parametrize("mode", ["exact", "cached"])
async def test_an_answer_that_cannot_be_told_is_a_failure(
    backend: DiffusionBackend, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    with monkeypatch.context() as patch:
        broken = raising(IndexError("no such token"))
        patch.setattr("trueval.generate.denoiser.completion_of", broken)
        for lost in await drawn(backend, request(mode=mode), request(1, mode=mode)):
            assert isinstance(lost, Failure) and "no such token" in lost.message
    [kept] = await drawn(backend, request(mode=mode))
    assert isinstance(kept, Completion)


async def test_a_check_by_exact_that_cannot_start_is_a_failure(
    backend: DiffusionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueval.diffusion.agreement.exact_twin", raising(ConfigError("no twin")))
    lost, kept = await drawn(backend, request(mode="cached"), request(1))
    assert isinstance(lost, Failure) and lost.message == "no twin"
    assert isinstance(kept, Completion)


@pytest.mark.parametrize("mode", ["exact", "cached"])
async def test_a_row_that_the_model_cannot_read_fails_alone(tmp_path: Path, mode: str) -> None:
    folder = write_checkpoint(tmp_path / "tiny", "dream")  # whose output has weights of its own
    [letter] = load_model(folder).encode("Z")
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][letter] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    backend = DiffusionBackend(model=str(folder))
    await backend.open()
    asked = [request(n, prefix="Z = " if n == 1 else "y = ", mode=mode) for n in range(4)]
    found = await drawn(backend, *asked)
    await backend.close()
    lost = found.pop(1)
    assert isinstance(lost, Failure) and "not finite" in lost.message
    assert all(isinstance(one, Completion) for one in found), found


async def test_a_machine_without_memory_fails_what_was_in_flight_and_says_what_needs_less(
    backend: DiffusionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("trueval.diffusion.engine.Engine.step", raising(CUDA))
        for lost in await drawn(backend, request(), request(1)):
            assert isinstance(lost, Failure) and lost.retryable
            assert "out of memory" in lost.message and "more of it" not in lost.message
            assert "options.concurrency=2" in lost.message and "memo_mb" in lost.message
    [kept] = await drawn(backend, request())
    assert isinstance(kept, Completion)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_ends_leaves_nobody_waiting(
    backend: DiffusionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueval.diffusion.engine.Engine.step", raising(CUDA))
    monkeypatch.setattr(backend._denoisers[0], "_make", raising(BackendError("no engine")))
    for lost in await drawn(backend, *map(request, range(6))):
        assert isinstance(lost, Failure)
    [late] = await drawn(backend, request())
    assert isinstance(late, Failure) and "not open" in late.message


def test_a_single_row_is_not_told_to_fill_fewer() -> None:
    assert "concurrency" not in failure_of(MemoryError(), rows=1).message


async def test_a_calibration_that_cannot_be_kept_is_one_message(
    backend: DiffusionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = raising(PermissionError(13, "Permission denied", "/cache/x"))
    monkeypatch.setattr(backend._denoisers[0].search, "ready", broken)
    with pytest.raises(BackendError, match="TRUEVAL_CACHE"):
        await backend.calibrate("line")
