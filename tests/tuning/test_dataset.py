from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("tokenizers")
import numpy as np

from trueval.errors import DataError
from trueval.tuning.dataset import TokenFile, write_tokens
from trueval.tuning.encode import check_tokens, make_tokens
from trueval.tuning.packing import pack
from trueval.tuning.tokenizer import SourceTokenizer, train

TEXTS = [f"def f{number}(x):\n    return x + {number} * 'é'\n" for number in range(1500)]


def corpus(folder: Path, texts: Sequence[str] = TEXTS) -> Path:
    (folder / "functions").mkdir(parents=True)
    for split, part in (("train", texts), ("validation", texts[:3]), ("dev", texts[:0])):
        lines = [json.dumps({"text": text}) + "\n" for text in part]
        (folder / "functions" / f"{split}.jsonl").write_text("".join(lines), "utf-8")
    return folder


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    train(TEXTS, vocabulary=280).save(tmp_path / "tokenizer.json")
    return tmp_path / "tokenizer.json"


def test_each_document_reads_back_as_its_own_ids(tmp_path: Path, tokenizer: Path) -> None:
    folder = corpus(tmp_path / "data")
    documents, tokens = write_tokens(folder, "train", tokenizer, folder)
    made, file = SourceTokenizer.load(tokenizer), TokenFile(folder, "train")
    assert (len(file), file.tokens) == (documents, tokens) == (1500, int(file.lengths.sum()))
    assert file[7].dtype == np.uint16
    for number in (0, 1, 511, 512, 1499, -1):
        assert file[number].tolist() == made.encode(TEXTS[number])
    with pytest.raises(IndexError):
        file[1500]


def test_more_workers_write_the_same_bytes(tmp_path: Path, tokenizer: Path) -> None:
    folder = corpus(tmp_path / "data")
    for workers in (1, 2):
        write_tokens(folder, "train", tokenizer, tmp_path / str(workers), workers=workers)
    for name in ("train.bin", "train.idx.npy"):
        one, two = (tmp_path / str(workers) / "tokens" / name for workers in (1, 2))
        assert one.read_bytes() == two.read_bytes()


def test_a_split_without_documents_is_empty(tmp_path: Path, tokenizer: Path) -> None:
    folder = corpus(tmp_path / "data")
    assert write_tokens(folder, "dev", tokenizer, folder) == (0, 0)
    assert len(TokenFile(folder, "dev")) == 0


def test_files_that_are_missing_or_cut_off_are_said(tmp_path: Path, tokenizer: Path) -> None:
    with pytest.raises(DataError, match="no tokens of train"):
        TokenFile(tmp_path, "train")
    folder = corpus(tmp_path / "data")
    write_tokens(folder, "train", tokenizer, folder)
    path = folder / "tokens" / "train.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match="cut off"):
        TokenFile(folder, "train")


def test_one_corpus_serves_several_vocabularies(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "data")
    (folder / "NOTICE").write_text("who", "utf-8")
    said: list[str] = []
    for out, size in ((folder, 290), (tmp_path / "small", 280)):
        facts = make_tokens(
            folder, out, vocabulary=size, sample_bytes=10**5, workers=1, say=said.append
        )
        assert facts["train"] == {"documents": 1500, "tokens": TokenFile(out, "train").tokens}
        assert SourceTokenizer.load(out / "tokenizer.json").vocabulary == size
    assert (tmp_path / "small" / "NOTICE").read_text("utf-8") == "who"
    assert said[-1] == "encoding dev"


def test_a_folder_without_documents_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="trueval train data"):
        make_tokens(tmp_path, tmp_path, vocabulary=280, sample_bytes=10**6, workers=1, say=print)


def test_tokens_that_were_made_by_another_tokenizer_are_said(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "data")
    with pytest.raises(DataError, match="no record of tokens"):
        check_tokens(folder)
    make_tokens(folder, folder, vocabulary=280, sample_bytes=10**5, workers=1, say=print)
    assert check_tokens(folder)["vocabulary"] == 280
    train(TEXTS, vocabulary=281).save(folder / "tokenizer.json")
    with pytest.raises(DataError, match=r"not of its tokenizer\.json"):
        check_tokens(folder)
    (folder / "tokens" / "manifest.json").write_text("[]", "utf-8")
    with pytest.raises(DataError, match="no record"):
        check_tokens(folder)


def test_an_encoding_that_was_cut_off_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = corpus(tmp_path / "data")
    make_tokens(folder, folder, vocabulary=280, sample_bytes=10**5, workers=1, say=print)
    before = (folder / "tokenizer.json").read_bytes()

    def cut_off(text: str) -> None:
        if text == "encoding dev":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_tokens(folder, folder, vocabulary=290, sample_bytes=10**5, workers=1, say=cut_off)
    assert (folder / "tokenizer.json").read_bytes() == before
    assert not list(folder.glob(".tokenizer*"))
    with pytest.raises(DataError, match="no record of tokens"):
        check_tokens(folder)


def test_a_pack_is_a_part_of_train_that_can_be_trained_on(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "data")
    (folder / "NOTICE").write_text("who", "utf-8")
    made = make_tokens(folder, folder, vocabulary=280, sample_bytes=10**5, workers=1, say=print)
    few = made["train"]["tokens"] // 3
    facts = pack(folder, tmp_path / "data.tar.xz", tokens=few)
    with tarfile.open(tmp_path / "data.tar.xz") as tar:
        tar.extractall(tmp_path / "there", filter="data")
    there, whole = (TokenFile(each, "train") for each in (tmp_path / "there", folder))
    assert check_tokens(tmp_path / "there")["train"] == facts["train"]
    assert facts["train"] == {"documents": len(there), "tokens": there.tokens}
    assert few - 50 < there.tokens <= few
    documents = {bytes(whole[n]) for n in range(len(whole))}
    assert all(bytes(there[n]) in documents for n in range(len(there)))
    assert len(TokenFile(tmp_path / "there", "validation")) == 3
    assert (tmp_path / "there" / "NOTICE").read_text("utf-8") == "who"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "data.tar.xz", "there"]
