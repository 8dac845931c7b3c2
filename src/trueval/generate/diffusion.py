"""Masked-diffusion checkpoints, by `trueval.diffusion`: gaps are filled, and texts completed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueval.errors import BackendError, ConfigError, MissingExtraError
from trueval.generate.common import say_to_stderr
from trueval.generate.denoiser import Denoiser, Watch
from trueval.generate.gaps import HOLES, completes_only, settings_of
from trueval.generate.models import ResolvedModel, Say, local_checkpoint, resolve_model
from trueval.types import Completion, Failure, Mode, Request, SamplingParams

if TYPE_CHECKING:
    from trueval.diffusion.model import Checkpoint

FIRST_CHECKED, ONE_IN = 8, 16
"""Of the rows of an approximate mode, the first so many are filled by `exact` too, and one in so
many of the others."""

_PRECISIONS = {"auto": "auto", "f32": "float32", "bf16": "bfloat16"}


class DiffusionBackend:
    """Fills gaps by a masked-diffusion checkpoint, with up to `concurrency` rows in flight.

    A `TextPrompt` or `ChatPrompt` is a gap of `max_tokens` masks with nothing after it.
    """

    name = "diffusion"

    def __init__(
        self,
        *,
        model: str,
        concurrency: int = 8,
        mode: Mode | None = None,
        precision: str = "auto",
        device: str = "auto",
        devices: str | Sequence[str] | None = None,
        family: str | None = None,
        memo_mb: int = 256,
        calibration_holes: int | None = None,
        trace: bool = False,
        check: bool = True,
        watch: Watch | None = None,
        say: Say = say_to_stderr,
    ) -> None:
        """`devices`: several of one type, or "all" GPUs, each with a copy of the model and
        `concurrency` rows; no sample depends on how many there are. `family`: which of the known
        ones, where the checkpoint does not tell. `trace` keeps each row's history.
        `calibration_holes`: how many the length search is calibrated on. `check` measures how often
        an approximate mode agrees with `exact`. `watch` is called, on an engine's thread, with
        every row in flight after each step.
        """
        holes = HOLES if calibration_holes is None else calibration_holes
        if precision not in _PRECISIONS or concurrency < 1 or memo_mb < 0 or holes < 8:
            raise ConfigError(
                f"cannot run with precision {precision!r}, concurrency {concurrency}, "
                f"memo_mb {memo_mb}, calibration_holes {holes}",
                hint=f"precision is one of {', '.join(_PRECISIONS)}; concurrency is at least 1, "
                "calibration_holes at least 8",
            )
        self.model, self.concurrency, self.mode = model, concurrency, mode
        self._named = _named(device, devices)
        self.shares_cores = self._named[:1] in (["auto"], ["cpu"])
        self._rows, self._precision, self._family = concurrency, precision, family
        self._memo_mb, self._trace, self._check, self._say = memo_mb, trace, check, say
        self._watch, self._holes = watch, holes
        self._known: tuple[Checkpoint, dict[str, Any]] | None = None
        self._denoisers: list[Denoiser] = []
        self._homes: dict[str, Denoiser] = {}
        """problem_id -> who has its samples, so that they share a memo."""
        self._checked = 0
        self._lock = asyncio.Lock()

    # ----------------------------------------------------------------------- for who plans a run

    @staticmethod
    def check_sampling(params: SamplingParams) -> None:
        """Refuse options that contradict each other or do nothing, before a model is loaded."""
        try:
            settings_of(params)
        except ImportError:
            return  # `open` says what is missing; what was drawn elsewhere can be read without it

    async def why_not_infill(self) -> str:
        """Why this model fills no holes; empty when it does."""
        adapter = (await self._checkpoint()).adapter
        return "" if adapter.infills else completes_only(adapter)

    async def why_not_search(self) -> str:
        """Why this model cannot find a gap's length; empty when it can."""
        return await self.why_not_infill()

    async def calibrate(self, hole: str) -> Mapping[str, Any]:
        """Make the search ready for a kind of hole, and say what it was calibrated on.

        `hole`: as the task calls it. Takes minutes for a checkpoint that is new to this machine,
        and loads the model, as a calibration belongs to what its weights say. Raises `BackendError`
        where Python's library has no sources, or what was worked out cannot be kept.
        """
        await self.open()
        # One after the other: the first makes it, the others find it made.
        try:
            judges = [await asyncio.to_thread(one.search.ready, hole) for one in self._denoisers]
        except OSError as error:
            raise BackendError(
                f"the calibration of the length search cannot be kept: {error}",
                hint="TRUEVAL_CACHE=FOLDER, one that can be written; or --length fixed:8",
            ) from error
        return judges[0].facts

    async def count_tokens(self, text: str) -> int:
        """How many tokens a text is by itself."""
        return len((await self._checkpoint()).tokens.encode(text))

    # ----------------------------------------------------------------------- open and close

    async def describe(self) -> Mapping[str, Any]:
        """What `open` says, from the checkpoint's small files; the weights are not read."""
        await self._checkpoint()
        assert self._known is not None
        return self._known[1]

    async def open(self) -> Mapping[str, Any]:
        """Load the checkpoint, fetching it if need be. Raises `BackendError` when it cannot.

        What is open already stays as it is.
        """
        about = await self.describe()
        async with self._lock:
            if not self._denoisers:
                self._checked, self._homes = 0, {}
                found = await asyncio.to_thread(self._load)
                for one in found:
                    one.start()
                self._denoisers = found
        return about

    async def draw(self, request: Request) -> Completion | Failure:
        """One sample of `request`."""
        if not self._denoisers:
            return Failure(stage="generate", message="the engine is not open")
        home = self._homes.get(request.problem_id)
        if home is None:
            home = min(self._denoisers, key=lambda one: one.waiting)
            self._homes[request.problem_id] = home
        return await home.answer(request, checked=self._is_checked(request))

    async def close(self) -> None:
        """End the rows in flight and free the model. Safe to call twice."""
        denoisers, self._denoisers, self._homes = self._denoisers, [], {}
        self._known = None  # the files may be others when it is opened again
        if denoisers:
            await asyncio.gather(*(asyncio.to_thread(one.stop) for one in denoisers))

    async def _checkpoint(self) -> Checkpoint:
        async with self._lock:
            if self._known is None:
                self._known = await asyncio.to_thread(self._read)
                checkpoint = self._known[0]
                self.concurrency = self._rows * len(self._named)
                self.shares_cores = checkpoint.device.type == "cpu"
        return self._known[0]

    def _read(self) -> tuple[Checkpoint, dict[str, Any]]:
        try:
            from trueval.diffusion.model import all_devices, read_checkpoint
        except ImportError as error:
            raise MissingExtraError(
                error.name or "torch", extra="transformers", needed_for="the diffusion backend"
            ) from None
        found = resolve_model(self.model)
        folder = Path(local_checkpoint(found, say=self._say))
        if self._named == ["all"]:
            self._named = all_devices()
        checkpoint = read_checkpoint(
            folder,
            device=self._named[0],
            dtype=_PRECISIONS[self._precision],
            adapter=self._family,
        )
        adapter = checkpoint.adapter
        chats = adapter.chat_template and found.mode == "chat"
        return checkpoint, {
            **checkpoint.facts,
            **_revision(folder, found),
            "id": found.id,
            "mode": self.mode or ("chat" if chats else "completion"),
            "code": _engine_code(),
            "shift": adapter.shift,
            "infills": adapter.infills,
            # Its FIM tokens, where it has any, are from before it was a diffusion model.
            "fim_tokens": [],
            **({"block": adapter.block} if adapter.block else {}),
            **({"traced": True} if self._trace else {}),
            **({"devices": list(self._named)} if len(self._named) > 1 else {}),
        }

    def _load(self) -> list[Denoiser]:
        from trueval.diffusion.calibration import Sizes
        from trueval.diffusion.engine import Engine
        from trueval.diffusion.lengths import Search

        assert self._known is not None
        checkpoint = self._known[0]
        several = len(self._named) > 1
        nets = [checkpoint.load(name if several else None) for name in self._named]
        return [
            Denoiser(
                net,
                checkpoint.folder,
                engine=lambda net: Engine(net, rows=self._rows, memo_mb=self._memo_mb),
                search=Search(net, sizes=Sizes(self._holes), say=self._say),
                rows=self._rows,
                trace=self._trace,
                watch=self._watch,
            )
            for net in nets
        ]

    def _is_checked(self, request: Request) -> bool:
        """Whether a row is one of the sample on which agreement is measured."""
        diffusion = request.params.diffusion
        if not self._check or diffusion is None or diffusion.mode == "exact":
            return False
        self._checked += 1
        return self._checked <= FIRST_CHECKED or int(request.key, 16) % ONE_IN == 0


def _named(device: str, devices: str | Sequence[str] | None) -> list[str]:
    """The devices that were asked for; "all" is not resolved yet."""
    if devices is None:
        return [device]
    names = [devices] if isinstance(devices, str) else [str(name) for name in devices]
    if device != "auto":
        raise ConfigError("device and devices are both given", hint="leave one of them out")
    kinds = {name.partition(":")[0] for name in names}
    if len(names) > 1 and (len(kinds) > 1 or kinds & {"all", "auto"}):
        raise ConfigError(
            f"cannot share a run among the devices {', '.join(names)}",
            hint="devices of one type: all, or a list such as [cuda:0, cuda:1]",
        )
    if not names:
        raise ConfigError("no devices", hint="all, or a list such as [cuda:0, cuda:1]")
    return names


def _engine_code() -> str:
    """Digest of the engine's source: what the cache holds of another engine is not this one's."""
    import trueval.diffusion

    total = hashlib.sha256()
    for path in sorted(Path(trueval.diffusion.__file__).parent.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def _revision(folder: Path, model: ResolvedModel) -> dict[str, Any]:
    """`revision` and `pinned`: a commit of the hub stays as it is, a folder's files may not."""
    if model.entry and model.entry.shipped:
        weights = hashlib.sha256((folder / "model.safetensors").read_bytes())
        return {"revision": weights.hexdigest()[:12], "pinned": True}
    if model.path is None and folder.parent.name == "snapshots":
        return {"revision": folder.name, "pinned": True}
    return {"revision": "local", "pinned": False}
