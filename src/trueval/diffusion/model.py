"""A masked-diffusion checkpoint, ready to predict the tokens at any positions of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from trueval.diffusion.adapters import Adapter, adapter_for
from trueval.diffusion.body import Body, Context, has_fast_bfloat16
from trueval.diffusion.folder import read_json
from trueval.diffusion.packs import Packs, Reader, WindowPacks, parts_of, whole
from trueval.diffusion.tokens import Tokens, read_tokens
from trueval.diffusion.weights import Shape, read_weights, shape_of
from trueval.errors import BackendError, ConfigError, MissingExtraError
from trueval.paths import shipped_model

__all__ = ["Checkpoint", "Model", "Window", "all_devices", "load_model", "read_checkpoint"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WINDOW_ROWS = 4
"""Windows computed together: at 0.5B on a CPU, four take little longer than one."""
T = TypeVar("T")
_HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a row that is computed anew, and the keys and values of the rest of it."""

    places: Tensor
    """[W] int64, ascending positions."""
    row: Tensor
    """[L] int64, as it was when the context was computed."""
    context: Context

    @property
    def nbytes(self) -> int:
        """How much memory the keys and values take."""
        return self.context.nbytes


class Model:
    """A checkpoint and its tokenizer. Positions are those of the tokens that are predicted.

    Each row is computed alone at its exact length, or, with `pack_rows`, in packs whose shapes
    depend on the row alone, as windows always are: what a row's logits are never depends on the
    rows beside it.
    """

    def __init__(
        self,
        body: Body,
        tokens: Tokens,
        adapter: Adapter,
        facts: Mapping[str, Any],
        *,
        pack_rows: int = 0,
    ) -> None:
        self.adapter, self.facts = adapter, facts
        self.vocab_size, self.context = body.shape.vocab, body.shape.context
        self.device, self.dtype = body.device, body.dtype
        self._body, self._tokens = body, tokens
        self._packs = Packs(body, pack_rows) if pack_rows else None
        self.window_rows = max(WINDOW_ROWS, pack_rows)
        """How many windows of one shape are computed together."""
        self._window_packs = WindowPacks(body, self.window_rows)

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Nothing is added, and special-looking text is plain text."""
        return self._tokens.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, specials left out."""
        return self._tokens.decode(ids)

    def logits(self, rows: Sequence[Tensor], at: Sequence[Tensor]) -> list[Tensor]:
        """The predictions for the tokens at some positions of each row, all of them at once.

        rows: canvases [L] int64; at: positions [Q] int64 -> float32 [Q, vocab_size] each

        A shifted model predicts a token at the position before it; a token that has none before it
        is predicted at its own.
        """
        return self.read(rows, at, whole)

    def read(self, rows: Sequence[Tensor], at: Sequence[Tensor], reader: Reader[T]) -> list[T]:
        """What `reader` makes of each row's logits; they are gone before the next row's come."""
        return self._run(rows, at, reader, None)

    def windows(
        self,
        rows: Sequence[Tensor],
        at: Sequence[Tensor],
        over: Sequence[Tensor],
        reader: Reader[T],
    ) -> list[tuple[Window, T]]:
        """Full passes that keep what `rewindow` needs, and what is read as by `read`.

        rows [L] int64; at [Q] int64; over [P] int64: every position whose token may change before
        the next full pass
        """
        contexts = [Context(keys=[], values=[]) for _ in rows]
        said = self._run(rows, at, reader, contexts)
        found = []
        for row, asked, changing, context in zip(rows, at, over, contexts, strict=True):
            # With a shift, the position before a token is where it is predicted: it is new too.
            sources = (self._sources(row, asked), self._sources(row, changing))
            places = torch.cat((changing, *sources)).unique()
            found.append(Window(places=places, row=row.clone(), context=context))
        return list(zip(found, said, strict=True))

    def rewindow(
        self,
        windows: Sequence[Window],
        rows: Sequence[Tensor],
        at: Sequence[Tensor],
        reader: Reader[T],
        *,
        wide: bool = False,
    ) -> list[T]:
        """What is read at positions in windows, their tokens run anew beside the old keys.

        rows [L] int64, equal to the windows' outside of them; at [Q] int64; `wide`: see
        `WindowPacks.read`

        An approximation: a full pass would change the keys and values of the context too, for they
        attend to the window (dKV-Cache, arXiv 2505.15781; Fast-dLLM, arXiv 2505.22618). Right after
        `windows`, with the same row, it is exact. Raises `ValueError` for what is in no window.
        """
        out = [
            _inside(window, row, self._sources(row, asked))
            for window, row, asked in zip(windows, rows, at, strict=True)
        ]
        places = [window.places for window in windows]
        return self._window_packs.read(
            [row[spots] for row, spots in zip(rows, places, strict=True)],
            out,
            places,
            [window.context for window in windows],
            reader,
            wide=wide,
        )

    def resized(self, window: Window, row: Tensor, *, at: int, old: int, new: int) -> Window:
        """A window whose gap, of `old` tokens from `at` on, has `new` ones: then the row is `row`.

        What stands behind the gap keeps its keys and values, the keys turned to where it stands
        now. An approximation where `new` is not `old`; the window it came from stays as it is.
        """
        places = window.places
        before, behind = places[places < at], places[places >= at + old] + (new - old)
        gap = torch.arange(at, at + new)
        context = self._body.resized(window.context, at, old, new)
        return Window(places=torch.cat((before, gap, behind)), row=row.clone(), context=context)

    def _run(
        self,
        rows: Sequence[Tensor],
        at: Sequence[Tensor],
        reader: Reader[T],
        contexts: Sequence[Context] | None,
    ) -> list[T]:
        out = [self._sources(row, places) for row, places in zip(rows, at, strict=True)]
        if self._packs is not None:
            return self._packs.read(rows, out, reader, contexts)
        found = []
        for index, (row, places) in enumerate(zip(rows, out, strict=True)):
            context = None if contexts is None else contexts[index]
            ids, asked = row.to(self.device)[None], places.to(self.device)[None]
            hidden = self._body.hidden(ids, asked, context=context)[0]
            found.append(reader(index, parts_of(self._body, hidden, len(places))))
        return found

    def _sources(self, row: Tensor, at: Tensor) -> Tensor:
        """Where the tokens at these positions are predicted."""
        if len(row) > self.context:
            raise ValueError(f"a row of {len(row)} tokens, and the model takes {self.context}")
        return (at - 1).clamp(min=0) if self.adapter.shift else at


def _inside(window: Window, row: Tensor, out: Tensor) -> Tensor:
    """Where outputs stand in a window."""
    places = window.places
    index = torch.searchsorted(places, out)
    if not torch.equal(places[index.clamp(max=len(places) - 1)], out):
        raise ValueError("asked for a position outside of the window")
    same = row.clone()
    same[places] = window.row[places]
    if not torch.equal(same, window.row):
        raise ValueError("a token outside of the window has changed")
    return index


# --------------------------------------------------------------------------- loading


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint is by its small files, and how it will be run: all but its weights."""

    folder: Path
    adapter: Adapter
    shape: Shape
    tokens: Tokens
    device: torch.device
    dtype: torch.dtype
    pack_rows: int
    facts: Mapping[str, Any]
    """Those that its `Model` has."""

    def load(self, device: str | None = None) -> Model:
        """The model itself; on another device of the same type where one is named."""
        place = self.device if device is None else _device(device)
        weights = read_weights(
            self.folder,
            self.shape,
            layout=self.adapter.layout,
            device=str(place),
            dtype=self.dtype,
        )
        adapter = self.adapter
        body = Body(self.shape, weights, block=None if adapter.infills else adapter.block)
        return Model(body, self.tokens, adapter, self.facts, pack_rows=self.pack_rows)


def load_model(source: str | Path, **options: Any) -> Model:
    """The checkpoint in a folder, or of a hub id `org/name`; `options` are `read_checkpoint`'s.

    Raises `ConfigError`, `MissingExtraError` or `BackendError` when it cannot be loaded.
    """
    return read_checkpoint(source, **options).load()


def read_checkpoint(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    adapter: str | None = None,
    remote_code: bool = False,
    revision: str | None = None,
    pack_rows: int | None = None,
) -> Checkpoint:
    """The checkpoint in a folder, or of a hub id `org/name`, before its weights are read.

    `dtype` is float32, bfloat16 or auto: the checkpoint's own, or float32 on a CPU that has no
    bfloat16 arithmetic. `adapter` names the family where it cannot be told. `pack_rows` is how many
    rows are computed together: by default 8 on a GPU and 0 on a CPU, where each row is computed
    alone at its exact length. `remote_code` lets a tokenizer's own code run; a model's never does.

    Raises `ConfigError`, `MissingExtraError` or `BackendError` when it cannot be loaded.
    """
    place = _device(device)
    folder, facts = _folder(source, revision)
    found = adapter_for(folder, name=adapter)
    config = read_json(folder / "config.json")
    kind = _dtype(dtype, config, place)
    shape = shape_of(config, layout=found.layout)
    marks = (*found.never, *found.end_ids, found.expand_id, found.delete_id)
    skipped = [number for number in marks if number is not None]
    packed = pack_rows if pack_rows is not None else 8 if place.type == "cuda" else 0
    facts |= {
        "engine": f"trueval.diffusion, torch {torch.__version__}",
        "adapter": found.name,
        "precision": str(kind).removeprefix("torch."),
        # Which of several like it changes no logit.
        "device": place.type,
        "context_length": shape.context,
        "pack_rows": packed,
    }
    return Checkpoint(
        folder=folder,
        adapter=found,
        shape=shape,
        tokens=read_tokens(folder, skipped=skipped, remote_code=remote_code),
        device=place,
        dtype=kind,
        pack_rows=packed,
        facts=facts,
    )


def all_devices() -> list[str]:
    """Every GPU that torch finds, or the processor where there is none."""
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"]


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(f"cannot run on device {name!r}", hint="say auto, cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BackendError("torch finds no GPU here", hint="say device='cpu', or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        known = ", ".join(all_devices())
        raise BackendError(f"there is no {name} here", hint=f"the GPUs that torch finds: {known}")
    return device


def _dtype(name: str, config: Mapping[str, Any], device: torch.device) -> torch.dtype:
    if name in _DTYPES:
        return _DTYPES[name]
    if name != "auto":
        hint = f"say auto, {' or '.join(_DTYPES)}"
        raise ConfigError(f"cannot run with dtype {name!r}", hint=hint)
    own = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    fast = has_fast_bfloat16(device)
    return torch.bfloat16 if own.endswith("float16") and fast else torch.float32


def _folder(source: str | Path, revision: str | None) -> tuple[Path, dict[str, Any]]:
    """The checkpoint's folder on this machine, and what reports call it."""
    path = Path(source).expanduser()
    ours = shipped_model(path.name)
    if not path.exists() and str(source) == path.name and (ours / "config.json").is_file():
        return ours, {"id": path.name, "revision": "shipped", "pinned": True}
    if path.is_dir():
        # Files in a folder may be changed in place; a commit of the hub may not.
        return path, {"id": path.resolve().name, "revision": "local", "pinned": False}
    name = str(source).removeprefix("hf:")
    if path.exists() or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ConfigError(
            f"no such checkpoint: {source}",
            hint="name a folder with config.json and *.safetensors, a hub id org/name, or"
            " trueval-coder-3m",
        )
    folder = _from_hub(name, revision)
    return folder, {"id": name, "revision": folder.name, "pinned": True}


def _from_hub(name: str, revision: str | None) -> Path:
    try:
        import huggingface_hub as hub
    except ImportError:
        raise MissingExtraError(
            "huggingface-hub", extra="hub", needed_for=f"the hub model {name}"
        ) from None
    try:
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=_HUB_FILES))
    except Exception as error:  # the hub client raises a dozen unrelated kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise BackendError(
            f"could not get {name} from the hub: {reason}",
            hint="check the name, the network and HF_TOKEN; or give the folder of a local copy",
        ) from error
