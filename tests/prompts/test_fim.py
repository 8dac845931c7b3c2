"""FIM formats against what is published of each, and the ways to ask without one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from trueval.errors import ConfigError
from trueval.postprocess.middle import END_TOKENS
from trueval.prompts.fim import (
    FimFormat,
    FimPrompt,
    Instruct,
    LeftToRight,
    Native,
    detect,
    formats,
    load_format,
    strategy,
    with_format,
)
from trueval.protocols import PromptStrategy
from trueval.types import ChatPrompt, InfillPrompt, Problem, TextPrompt

DATA = Path(__file__).parents[3] / "shared" / "data"

STARCODER = "<|endoftext|> <fim_prefix> <fim_middle> <fim_suffix> <fim_pad>".split()
FIM_BARS = "<|fim_prefix|> <|fim_middle|> <|fim_suffix|>".split()

PUBLISHED = {
    # https://huggingface.co/Qwen/Qwen2.5-Coder-7B/blob/main/tokenizer_config.json
    "qwen2.5-coder": [
        *("<|endoftext|>", "<|im_start|>", "<|im_end|>", *FIM_BARS),
        *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    ],
    # https://ai.google.dev/gemma/docs/codegemma/prompt-structure
    "codegemma": ["<pad>", "<eos>", "<bos>", "<unk>", *FIM_BARS, "<|file_separator|>"],
    # https://huggingface.co/bigcode/starcoderbase/blob/main/special_tokens_map.json
    "starcoder": [*STARCODER, "<filename>", "<gh_stars>", "<issue_start>", "<reponame>"],
    # https://huggingface.co/bigcode/starcoder2-7b/blob/main/special_tokens_map.json
    "starcoder2": [*STARCODER, "<repo_name>", "<file_sep>", "<issue_start>", "<pr>"],
    # https://huggingface.co/ibm-granite/granite-3.1-8b-instruct/blob/main/special_tokens_map.json
    "granite3": [*STARCODER, "<filename>", "<reponame>", "<|start_of_role|>", "<|end_of_role|>"],
    # https://huggingface.co/bigcode/santacoder/blob/main/special_tokens_map.json
    "santacoder": "<|endoftext|> <fim-prefix> <fim-middle> <fim-suffix> <fim-pad>".split(),
    # https://huggingface.co/codellama/CodeLlama-7b-hf/blob/main/tokenizer_config.json
    "codellama": ["<unk>", "<s>", "</s>", "▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"],
    # https://huggingface.co/deepseek-ai/deepseek-coder-6.7b-base (model card, code insertion)
    "deepseek-coder": [
        *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|EOT|>"),
        *(
            "<\uff5cfim\u2581begin\uff5c>",
            "<\uff5cfim\u2581hole\uff5c>",
            "<\uff5cfim\u2581end\uff5c>",
        ),
    ],
    # mistral_common/tokens/tokenizers/base.py: SpecialTokens
    "codestral": ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]"],
    # https://huggingface.co/THUDM/codegeex4-all-9b/blob/main/tokenizer_config.json
    "codegeex4": [
        *("<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"),
        *("<|code_prefix|>", "<|code_middle|>", "<|code_suffix|>"),
    ],
}
"""Format -> special tokens of a model of that family, from its published tokenizer."""

PROMPTS = {
    # https://github.com/QwenLM/Qwen2.5-Coder/blob/main/examples/Qwen2.5-Coder-fim.py
    "qwen2.5-coder": "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    "codegemma": "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    "granite4": "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    # https://github.com/bigcode-project/bigcode-evaluation-harness (santacoder_fim.py)
    "starcoder": "<fim_prefix>P<fim_suffix>S<fim_middle>",
    # https://github.com/nuprl/MultiPL-E/blob/main/starcoder2.py: SPMv2
    "starcoder:spm": "<fim_prefix><fim_suffix>S<fim_middle>P",
    "starcoder2": "<fim_prefix>P<fim_suffix>S<fim_middle>",
    "starcoder2:spm": "<fim_prefix><fim_suffix>S<fim_middle>P",
    "granite3": "<fim_prefix>P<fim_suffix>S<fim_middle>",
    "stable-code": "<fim_prefix>P<fim_suffix>S<fim_middle>",
    "santacoder": "<fim-prefix>P<fim-suffix>S<fim-middle>",
    "santacoder:spm": "<fim-prefix><fim-suffix>S<fim-middle>P",
    # https://github.com/meta-llama/codellama/blob/main/llama/generation.py:
    # "<PRE> {pre} <SUF>{suf} <MID>" and "<PRE> <SUF>{suf} <MID> {pre}", where a ▁ is a space
    "codellama": "▁<PRE> P▁<SUF>S▁<MID>",
    "codellama:spm": "▁<PRE>▁<SUF>S▁<MID> P",
    "deepseek-coder": "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>",
    # https://huggingface.co/mistralai/Codestral-22B-v0.1/discussions/5
    "codestral": "[SUFFIX]S[PREFIX]P",
    # https://github.com/THUDM/CodeGeeX4/blob/main/guides/Infilling_guideline.md
    "codegeex4": "<|user|>\n###PATH:src.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
    "<|code_suffix|>S<|code_prefix|>P<|code_middle|><|assistant|>\n",
}

PROBLEM = Problem(problem_id="p", prefix="P", suffix="S", entry_point="f")
HOLE = Problem(problem_id="p", prefix="def f(x):\n", suffix="    return y\n", entry_point="f")


def problems() -> list[Problem]:
    names = ("HumanEval-SingleLineInfilling", "HumanEval-RandomSpanInfillingLight")
    files = [DATA / f"{name}.jsonl.gz" for name in names]
    if not all(file.exists() for file in files):
        pytest.skip("needs the infilling files of shared/data")
    lines = [gzip.decompress(file.read_bytes()).decode().splitlines() for file in files]
    rows = [json.loads(line) for of_file in lines for line in of_file]
    return [
        Problem(
            problem_id=row["task_id"],
            prefix=row["prompt"],
            suffix=row["suffix"],
            entry_point=row["entry_point"],
        )
        for row in rows
    ]


# --------------------------------------------------------------------------- formats


@pytest.mark.parametrize(("choice", "text"), PROMPTS.items())
def test_a_prompt_is_written_as_published(choice: str, text: str) -> None:
    asking = strategy(choice, hole="line", vocabulary=None)
    assert asking(PROBLEM) == TextPrompt(text=text)


def test_every_order_of_every_format_is_in_the_table() -> None:
    orders = {(form.name, order) for form in formats().values() for order in form.orders}
    shown = {with_or.partition(":") for with_or in PROMPTS}
    first = {(name, order or formats()[name].orders[0]) for name, _, order in shown}
    assert first == orders


@pytest.mark.parametrize(("name", "vocabulary"), PUBLISHED.items())
def test_a_published_vocabulary_is_recognised(name: str, vocabulary: list[str]) -> None:
    found = detect(vocabulary)
    assert found.name == name
    assert set(found.tokens) <= set(vocabulary)
    assert set(found.stop) & set(vocabulary), "something ends its middles"


@pytest.mark.parametrize(
    ("vocabulary", "name"),
    [
        ([*PUBLISHED["qwen2.5-coder"], "<|file_separator|>"], "qwen2.5-coder"),
        ([*PUBLISHED["starcoder2"], "<reponame>"], "starcoder2"),
        ([*FIM_BARS, "<|start_of_role|>", "<|fim_pad|>"], "granite4"),
        (STARCODER, "starcoder"),
    ],
)
def test_the_most_specific_format_wins(vocabulary: list[str], name: str) -> None:
    assert detect(vocabulary).name == name


@pytest.mark.parametrize(
    ("vocabulary", "says"),
    [
        # SmolLM2 has file separators, and no tokens for a hole.
        (["<|endoftext|>", "<repo_name>", "<file_sep>", "<filename>"], "it has none"),
        ([], "it has none"),
        (["<[fim-prefix]>", "<[fim-suffix]>"], r"no known format: <\[fim-prefix\]>"),
        (["<fim_prefix>", "<fim_suffix>"], "no known format"),
    ],
)
def test_a_model_without_a_format_is_told_what_to_type(vocabulary: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        detect(vocabulary)
    for way in ("--fim instruct", "--fim left-to-right", "YAML"):
        assert way in caught.value.hint


@pytest.mark.parametrize("form", formats().values(), ids=lambda form: form.name)
def test_a_format_has_a_source_and_its_ends_are_known_to_the_post_processor(
    form: FimFormat,
) -> None:
    assert form.source
    assert set(form.stop) <= set(END_TOKENS)


@pytest.mark.parametrize("form", formats().values(), ids=lambda form: form.name)
def test_prefix_and_suffix_come_back_out_of_the_official_prompts(form: FimFormat) -> None:
    for problem in problems()[::17]:
        for order in form.orders:
            text = form.render(problem, order)
            assert text.count(problem.prefix) >= 1
            blank = form.render(Problem(problem_id="", prefix="", suffix="", entry_point=""), order)
            assert len(text) == len(blank) + len(problem.prefix) + len(problem.suffix)


def test_braces_in_code_are_code() -> None:
    problem = Problem(problem_id="p", prefix="{{suffix}}", suffix="{{prefix}}", entry_point="f")
    text = strategy("starcoder", hole="line", vocabulary=None)(problem)
    assert text == TextPrompt(text="<fim_prefix>{{suffix}}<fim_suffix>{{prefix}}<fim_middle>")


@pytest.mark.parametrize("place", ["prefix", "suffix"])
@pytest.mark.parametrize("token", ["<|fim_suffix|>", "<|file_sep|>"])
def test_a_problem_that_holds_a_token_is_refused(place: str, token: str) -> None:
    texts = {"prefix": "a", "suffix": "b", place: f"x = '{token}'"}
    problem = Problem(
        problem_id="p", prefix=texts["prefix"], suffix=texts["suffix"], entry_point="f"
    )
    with pytest.raises(ConfigError, match="would be read as one") as caught:
        load_format("qwen2.5-coder").render(problem, "psm")
    assert "--fim instruct" in caught.value.hint


# --------------------------------------------------------------------------- choosing one


def test_auto_is_what_the_vocabulary_says() -> None:
    asking = strategy("auto", hole="line", vocabulary=PUBLISHED["starcoder2"])
    assert isinstance(asking, FimPrompt)
    assert asking.label == "fim:starcoder2 (PSM)"
    assert asking.stop == asking.format.stop
    assert "<file_sep>" in asking.stop


def test_a_format_of_the_users_own_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "seed.yml"
    file.write_text("tokens: ['<[s]>', '<[p]>']\nspm: '<[s]>{{suffix}}<[p]>{{prefix}}'\n")
    asking = strategy(str(file), hole="line", vocabulary=None)
    assert asking(PROBLEM) == TextPrompt(text="<[s]>S<[p]>P")
    assert asking.name == "fim-seed-spm"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[1]", "holds no FIM format"),
        ("tokens: [a]", "has a `psm` or an `spm`"),
        ("{tokens: [a], psm: 'a{{prefix}}'}", "once each"),
        ("{tokens: [b], psm: 'a{{prefix}}{{suffix}}'}", "does not use the token 'b'"),
        ("{tokens: [], psm: '{{prefix}}{{suffix}}'}", "has `tokens`"),
        ("{tokens: [a], psmm: x}", "psmm"),
        ("{tokens: [", "cannot read"),
    ],
)
def test_a_file_that_is_no_format_is_said_to_be_none(
    tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=says):
        load_format(str(file))


@pytest.mark.parametrize(
    ("choice", "vocabulary", "says"),
    [
        ("starcodr", None, "unknown FIM format"),
        ("qwen2.5-coder:spm", None, "has no SPM order"),
        ("missing.yml", None, "cannot read"),
        ("auto", None, "nothing says which FIM tokens"),
        ("santacoder", STARCODER, "no token '<fim-prefix>'"),
        ("santacoder:spm", STARCODER, "no token '<fim-prefix>'"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_refused(
    choice: str, vocabulary: list[str] | None, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        strategy(choice, hole="line", vocabulary=vocabulary)


# --------------------------------------------------------------------------- without tokens


@pytest.mark.parametrize("choice", ["starcoder", "left-to-right", "native", "instruct"])
def test_every_way_of_asking_is_a_strategy_with_a_label(choice: str) -> None:
    asking = strategy(choice, hole="line", vocabulary=None)
    assert isinstance(asking, PromptStrategy)
    assert asking.label.startswith("fim:")
    assert asking.provenance == "clean"


def test_left_to_right_shows_the_prefix_alone_and_says_so() -> None:
    assert LeftToRight()(HOLE) == TextPrompt(text=HOLE.prefix)
    assert LeftToRight().label == "fim:left-to-right ignores the suffix"


def test_native_hands_on_both_texts() -> None:
    assert Native()(HOLE) == InfillPrompt(prefix=HOLE.prefix, suffix=HOLE.suffix)


def said(asking: Instruct, problem: Problem) -> str:
    prompt = asking(problem)
    assert isinstance(prompt, ChatPrompt)
    ((role, text),) = prompt.messages
    assert role == "user"
    return text


def test_a_chat_model_is_shown_the_code_with_its_hole_on_a_line_of_its_own() -> None:
    text = said(Instruct(hole="line"), HOLE)
    assert "```\ndef f(x):\n<FILL_HERE>\n    return y\n```" in text
    assert "Exactly one line" in text


def test_a_span_is_marked_inside_its_line() -> None:
    problem = Problem(problem_id="p", prefix="def f(x):\n    ret", suffix="rn x\n", entry_point="f")
    assert "    ret<FILL_HERE>rn x\n" in said(Instruct(hole="span"), problem)


def test_glue_is_shown_as_the_program_has_it() -> None:
    problem = Problem(
        problem_id="p", prefix="a = 1", suffix="b = 2", glue=("\n", "\n"), entry_point="f"
    )
    assert "a = 1\n<FILL_HERE>\nb = 2" in said(Instruct(hole="line"), problem)


def test_marker_and_fence_are_not_taken_from_the_code() -> None:
    problem = Problem(problem_id="p", prefix="'<FILL_HERE>'\n", suffix="'```'\n", entry_point="f")
    text = said(Instruct(hole="lines"), problem)
    assert "<FILL_HERE_2>\n'```'\n````" in text


def test_the_prompt_names_no_benchmark_and_no_function() -> None:
    for hole in ("line", "lines", "span"):
        text = said(Instruct(hole=hole), PROBLEM).lower()
        assert not [word for word in ("humaneval", "santacoder", "python") if word in text]


def test_an_order_that_a_format_has_not_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no PSM order") as caught:
        with_format(load_format("codestral"), "psm")
    assert caught.value.hint == "--fim codestral:spm"
