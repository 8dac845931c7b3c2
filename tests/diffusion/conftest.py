"""The trained checkpoint that several files fill gaps with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import one_at_a_time

torch = pytest.importorskip("torch")


@pytest.fixture(scope="session")
def trained_folder(request: pytest.FixtureRequest) -> Path:
    """A checkpoint of `trained.py`'s grammar, trained once a machine and version of that file."""
    from tests.diffusion import trained

    text = Path(trained.__file__).read_bytes() + torch.__version__.encode()
    name = f"grammar-{hashlib.sha256(text).hexdigest()[:12]}"
    folder: Path = request.config.cache.mkdir(name)
    with one_at_a_time(folder / "lock"):
        if not (folder / "tokenizer.json").is_file():
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # its matmuls are too small to share
            trained.save(trained.train(), folder)
            torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="session")
def model(trained_folder: Path) -> Any:
    """The checkpoint, loaded as a user's is."""
    from trueval.diffusion.model import load_model

    return load_model(trained_folder, device="cpu")


@pytest.fixture(scope="session")
def net(trained_folder: Path) -> Any:
    """The same weights in a plain dense net."""
    from tests.diffusion.trained import load_net

    return load_net(trained_folder)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors: a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
