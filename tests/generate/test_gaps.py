"""Requests as gaps: what the engine is asked, and what of its answer is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

from tests.diffusion.checkpoints import write_checkpoint  # noqa: E402
from trueval.diffusion.gaps import Filling, cut_context  # noqa: E402
from trueval.diffusion.lengths import Found  # noqa: E402
from trueval.diffusion.model import Model, load_model  # noqa: E402
from trueval.errors import ConfigError  # noqa: E402
from trueval.generate.chat import chat_ids  # noqa: E402
from trueval.generate.diffusion import DiffusionBackend  # noqa: E402
from trueval.generate.gaps import check_text, completion_of, gap_of, settings_of  # noqa: E402
from trueval.postprocess.middle import for_hole  # noqa: E402
from trueval.types import (  # noqa: E402
    DENOISED,
    ChatPrompt,
    DiffusionParams,
    InfillPrompt,
    Problem,
    Prompt,
    Request,
    TextPrompt,
)

CHAT = ChatPrompt(messages=(("user", "say x"),))
HALF = "x = '\ud800'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a BOS, and a template that says nothing of one."""
    return write_checkpoint(tmp_path_factory.mktemp("gaps") / "tiny", "dream")


@pytest.fixture(scope="module")
def net(folder: Path) -> Model:
    return load_model(folder, dtype="float32")


def request(prompt: Prompt, **given: Any) -> Request:
    params = replace(DENOISED, max_tokens=12, diffusion=DiffusionParams(**given))
    return Request(problem_id="p/1", sample_index=0, model="tiny", prompt=prompt, params=params)


def test_a_chat_begins_as_its_template_says(net: Model, folder: Path) -> None:
    pytest.importorskip("transformers")
    gap = gap_of(net, folder, request(CHAT))
    assert cut_context(gap, net.adapter, net.context).head == tuple(chat_ids(folder, CHAT.messages))


@pytest.mark.parametrize("prompt", [TextPrompt(text="x"), InfillPrompt(prefix="x", suffix="y")])
def test_a_text_begins_with_the_bos_of_the_model(net: Model, folder: Path, prompt: Prompt) -> None:
    gap = gap_of(net, folder, request(prompt, length=4))
    assert net.adapter.bos_id is not None
    head = cut_context(gap, net.adapter, net.context).head
    assert head == (net.adapter.bos_id, *net.encode("x"))


@pytest.mark.parametrize("length", [8, "oracle"])
def test_a_kind_of_hole_is_refused_where_nothing_is_searched(length: Any) -> None:
    params = replace(DENOISED, diffusion=DiffusionParams(length=length, hole="line"))
    with pytest.raises(ConfigError, match="--length search"):
        settings_of(params)
    with pytest.raises(ConfigError, match="--length search"):
        DiffusionBackend.check_sampling(params)


@pytest.mark.parametrize("length", [None, "search"])
def test_a_kind_of_hole_is_for_a_search(length: Any) -> None:
    diffusion = DiffusionParams(length=length, hole="line")
    assert settings_of(replace(DENOISED, diffusion=diffusion)) == settings_of(DENOISED)


def test_what_a_line_is_followed_by_is_cut_in_the_pipeline_and_counted(
    net: Model, folder: Path
) -> None:
    prefix, suffix = "def f(x):\n", "    return x\n"
    asked = request(InfillPrompt(prefix=prefix, suffix=suffix), length="search", hole="line")
    found = Found(length=9, kind="line", cost=3.0, candidates=())
    said = "    x = 1\n    x = 1\n"
    filling = Filling(
        tokens=tuple(net.encode(said)),
        ended=None,
        mode="exact",
        forwards=1,
        window_forwards=0,
        steps_run=1,
        memo_hits=0,
        logp=0.0,
    )
    gap = gap_of(net, folder, asked, found=found)
    done = completion_of(net, asked, gap, filling, found=found, duration_s=0.0)
    assert done.text == said
    problem = Problem(problem_id="p/1", prefix=prefix, suffix=suffix, entry_point="f")
    program, _ = for_hole("line", chat=False)(done.text, problem)
    assert (program.middle, program.edits) == ("    x = 1\n", ("first_line",))


@pytest.mark.parametrize(
    "prompt",
    [
        TextPrompt(text=f"a\n{HALF}\n"),
        InfillPrompt(prefix="a", suffix=f"\n{HALF}"),
        ChatPrompt(messages=(("system", "a"), ("user", HALF))),
    ],
    ids=lambda prompt: type(prompt).__name__,
)
def test_half_a_character_is_refused_with_its_line(prompt: Prompt) -> None:
    with pytest.raises(ConfigError, match=r"lone surrogate.*in the line .x = '") as error:
        check_text(prompt)
    str(error.value).encode("utf-8")  # what says so can be printed


def test_text_of_whole_characters_is_taken() -> None:
    for prompt in (TextPrompt(text="naïve 😀"), CHAT, InfillPrompt(prefix="", suffix="")):
        check_text(prompt)
