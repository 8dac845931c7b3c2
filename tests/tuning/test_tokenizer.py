from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("tokenizers")
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trueval.errors import ConfigError, DataError
from trueval.tuning.tokenizer import SPECIALS, SourceTokenizer, train

SOURCES = [path.read_text("utf-8") for path in sorted(Path(json.__file__).parent.glob("*.py"))] + [
    Path(__file__).read_text("utf-8")
]
VOCABULARY = 600
MADE = train(SOURCES, vocabulary=VOCABULARY)

PARTS = [" ", "  ", "    ", "\t", "\n", "\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028"]
PARTS += ["def", " x", "_a", "1234", "==", "):", "#", "'", "é", "\u4e2d", "\U0001f600", *SPECIALS]
texts = st.lists(st.sampled_from(PARTS) | st.characters(exclude_categories=["Cs"])).map("".join)


@settings(deadline=None)
@given(texts, texts)
@example("    if x:", "        y")
@example("", "    y")
@example("x\n   ", "")
def test_a_line_tokenises_the_same_alone_and_in_context(before: str, after: str) -> None:
    before += "\n"
    assert MADE.encode(before + after) == MADE.encode(before) + MADE.encode(after)


@settings(deadline=None)
@given(texts)
def test_the_text_comes_back_and_holds_no_specials(text: str) -> None:
    ids = MADE.encode(text)
    assert MADE.decode(ids) == text
    assert max(ids, default=0) < MADE.mask_id


@settings(deadline=None)
@given(texts)
def test_newlines_and_indentations_stand_alone(text: str) -> None:
    at_start = True
    for token in map(MADE.token, MADE.encode(text)):
        assert token == b"\n" or b"\n" not in token
        if at_start and token.startswith((b" ", b"\t")):
            assert not token.strip(b" \t")
            continue
        at_start = token == b"\n"


def test_the_sources_come_back_one_by_one_and_together() -> None:
    for text, ids in zip(SOURCES, MADE.encode_many(SOURCES), strict=True):
        assert ids == MADE.encode(text)
        assert MADE.decode(ids) == text


def test_specials_are_the_last_ids_and_leave_no_text() -> None:
    specials: Sequence[int] = (
        MADE.mask_id,
        MADE.end_id,
        MADE.pad_id,
        MADE.expand_id,
        MADE.delete_id,
    )
    assert [*specials] == [*range(VOCABULARY - 5, VOCABULARY)]
    assert [MADE.token(id_).decode() for id_ in specials] == [*SPECIALS]
    assert MADE.decode([MADE.mask_id, *MADE.encode("a"), MADE.end_id]) == "a"


def test_a_tokenizer_that_is_read_again_is_the_same(tmp_path: Path) -> None:
    MADE.save(tmp_path / "tokenizer.json")
    again = SourceTokenizer.load(tmp_path / "tokenizer.json")
    text = "<mask>" + SOURCES[0]
    assert again.encode(text) == MADE.encode(text)
    assert again.vocabulary == VOCABULARY
    assert again.mask_id not in again.encode(text)


def test_other_readers_know_the_specials(tmp_path: Path) -> None:
    MADE.save(tmp_path / "tokenizer.json")
    added = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    assert [(each["content"], each["id"], each["special"]) for each in added] == [
        (token, VOCABULARY - 5 + place, True) for place, token in enumerate(SPECIALS)
    ]


def test_training_gives_the_same_every_time(tmp_path: Path) -> None:
    again = train(SOURCES, vocabulary=VOCABULARY)
    for name, made in (("a", MADE), ("b", again)):
        made.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_vocabulary_that_cannot_be_made_is_said() -> None:
    for size in (100, 2**16 + 1):
        with pytest.raises(ConfigError, match="cannot be made"):
            train(SOURCES, vocabulary=size)
    with pytest.raises(DataError, match="give a vocabulary of"):
        train(["ab ab"], vocabulary=VOCABULARY)


def test_a_file_that_is_no_tokenizer_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(DataError, match="cannot read"):
        SourceTokenizer.load(path)
    path.write_text("{}", "utf-8")
    with pytest.raises(DataError, match="is no tokenizer"):
        SourceTokenizer.load(path)
