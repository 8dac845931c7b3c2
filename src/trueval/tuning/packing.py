"""A data folder as one archive that is small enough to send: a part of train, and validation."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from trueval.errors import ConfigError, StorageError
from trueval.tuning.dataset import TokenFile
from trueval.tuning.encode import check_tokens

SEED = 1


def pack(data: Path, archive: Path, *, tokens: int | None = None) -> dict[str, Any]:
    """Write what `train model` reads of a data folder to a .tar.xz; facts of it.

    `tokens`: about so many of train, in documents drawn at random; without it all. An archive of
    the same folder and number has the same documents. Raises `DataError` where tokens are missing.
    """
    if tokens is not None and tokens < 1:
        raise ConfigError(f"a part of {tokens} tokens trains nothing", hint="--tokens 50000000")
    facts = check_tokens(data)
    scratch = archive.with_name(f".{archive.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".pack-") as name:
            folder = Path(name)
            (folder / "tokens").mkdir()
            facts |= {"train": _part(data, folder, tokens)}
            (folder / "tokens" / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")
            for each in ("tokens/validation.bin", "tokens/validation.idx.npy", "tokenizer.json"):
                shutil.copyfile(data / each, folder / each)
            for each in ("manifest.json", "NOTICE"):
                if (data / each).is_file():
                    shutil.copyfile(data / each, folder / each)
            with tarfile.open(scratch, "w:xz") as tar:
                for path in sorted(folder.iterdir()):
                    tar.add(path, arcname=path.name)
        scratch.replace(archive)
    except OSError as error:
        raise StorageError(f"cannot write {archive}: {error.strerror or error}") from error
    finally:
        scratch.unlink(missing_ok=True)
    return {"train": facts["train"], "megabytes": round(archive.stat().st_size / 1e6, 1)}


def _part(data: Path, out: Path, tokens: int | None) -> dict[str, int]:
    """The train split of `data`, or a part of it, as `out`/tokens: documents and tokens."""
    import numpy as np

    train = TokenFile(data, "train")
    lengths = train.lengths
    # Of all packages, in the order of the file: a head of it would be those of the first letters.
    order = np.random.default_rng(SEED).permutation(len(train))
    within = np.cumsum(lengths[order]) <= (train.tokens if tokens is None else tokens)
    chosen = np.sort(order[within])
    with (out / "tokens" / "train.bin").open("wb") as file:
        for index in chosen:
            file.write(train[int(index)].tobytes())
    ends = np.cumsum([0, *lengths[chosen]], dtype=np.int64)
    np.save(out / "tokens" / "train.idx.npy", ends)
    return {"documents": len(chosen), "tokens": int(ends[-1])}
