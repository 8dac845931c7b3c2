"""What a model shows of a gap's length: how a gap of masks looks to it, and a quick filling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trueval.diffusion.gaps import Gap, cut_context
from trueval.diffusion.model import Model
from trueval.diffusion.packs import Parts, whole

__all__ = ["Draft", "Eye", "Probe"]

SURE = 0.9
"""A draft reveals all tokens of at least this probability at once (Fast-dLLM, arXiv 2505.22618)."""
SEAM = 2
"""Tokens behind the gap that are masked to see whether the model expects them there."""
_NONE = torch.empty(0, dtype=torch.int64)
_LEAST = -20.0
"""Log-probabilities count as no less: one that rounds to nothing must not decide alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A gap of so many masks as the model sees it before its first step."""

    length: int
    seam: float
    """Mean log-probability of the suffix's first tokens, masked as the gap is."""
    surest: float
    """Mean log-probability of each position's likeliest token (CAL, arXiv 2602.00476)."""
    closes: float
    """Log-probability that the last token ends a line."""
    unbroken: float
    """Log-probability that no other token does, each by itself."""
    unended: float
    """Log-probability that no token is an end token, each by itself."""
    line_at: int | None
    """Index of the first position whose likeliest token ends a line."""
    end_at: int | None
    """Index of the first position whose likeliest token is an end token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A gap filled greedily, the surest tokens first."""

    tokens: tuple[int, ...]
    seam: float
    """Mean log-probability of the suffix's first tokens, masked beside the filled gap."""
    logp: float
    """The sum of each token's log-probability as of when it was revealed: of the whole text, by
    the chain rule in that order, as far as tokens revealed together are independent."""
    breaks: int
    """Tokens but the last that end a line."""
    closes: bool
    """The last token ends a line."""
    ended: int | None
    """Index of the first end token."""


class Eye:
    """Probes and drafts by one model. Each of them depends on context and length alone."""

    def __init__(self, model: Model) -> None:
        self.model, self.adapter = model, model.adapter
        texts = [model.decode([token]) for token in range(model.vocab_size)]
        self._line = torch.tensor(["\n" in text for text in texts])
        self._closing = torch.tensor([text.endswith("\n") for text in texts])
        self._ends = torch.zeros(model.vocab_size, dtype=torch.bool)
        self._ends[list(self.adapter.end_ids)] = True
        flags = {"line": self._line, "closing": self._closing, "ends": self._ends}
        self._kinds = {name: kind.nonzero().flatten() for name, kind in flags.items()}
        never = {*self.adapter.never, self.adapter.expand_id, self.adapter.delete_id} - {None}
        self._never = sorted(number for number in never if number is not None)
        self.forwards = 0
        """Passes over a canvas so far."""

    @property
    def most(self) -> int:
        """The longest gap that the model has room for."""
        return self.model.context - (self.adapter.bos_id is not None)

    # ----------------------------------------------------------------------- probes

    def probe(
        self, prefix: Sequence[int], suffix: Sequence[int], lengths: Sequence[int]
    ) -> list[Probe]:
        """Look at gaps of masks, one of each length, all in one batch.

        The first `SEAM` tokens of the suffix are masked with the gap: where the gap is too long or
        too short, the model expects others there.
        """
        mask = self.adapter.mask_id
        canvases = self._canvases(prefix, suffix, [[mask] * n for n in lengths])
        rows = [one.hidden(mask) for one in canvases]
        at = [torch.cat((one.gap, one.seam)) for one in canvases]
        heard = self._ask(rows, at, [one.behind for one in canvases])
        return [self._seen(one, logp) for one, logp in zip(canvases, heard, strict=True)]

    def _seen(self, canvas: _Canvas, heard: _Heard) -> Probe:
        length, tokens = len(canvas.gap), heard.tokens[: len(canvas.gap)]
        return Probe(
            length=length,
            seam=heard.seam,
            surest=float(heard.best[:length].mean()),
            closes=max(_LEAST, float(heard.closing[length - 1])),
            unbroken=max(_LEAST, float(_not(heard.line[: length - 1]).sum())),
            unended=max(_LEAST, float(_not(heard.ends[:length]).sum())),
            line_at=_first(self._line[tokens]),
            end_at=_first(self._ends[tokens]),
        )

    # ----------------------------------------------------------------------- drafts

    def draft(
        self, prefix: Sequence[int], suffix: Sequence[int], lengths: Sequence[int]
    ) -> list[Draft]:
        """Fill gaps greedily, side by side, and look at the seam of each.

        Of the masks the likeliest token is revealed, and all others that are `SURE`.
        """
        state = [_Filling(length, self.adapter.mask_id) for length in lengths]
        while masked := [one for one in state if one.masked.any()]:
            canvases = self._canvases(prefix, suffix, [one.tokens.tolist() for one in masked])
            at = [canvas.gap[one.masked] for canvas, one in zip(canvases, masked, strict=True)]
            heard = self._ask([canvas.row for canvas in canvases], at, [_NONE] * len(at))
            for one, said in zip(masked, heard, strict=True):
                one.reveal(said.tokens, said.best)
        canvases = self._canvases(prefix, suffix, [one.tokens.tolist() for one in state])
        seams = [0.0] * len(state)
        # A suffix may be empty, or cut away where the gap fills the model.
        places = [place for place, one in enumerate(canvases) if len(one.seam)]
        rows = [canvases[place].hidden(self.adapter.mask_id) for place in places]
        behind = [canvases[place].behind for place in places]
        heard = self._ask(rows, [canvases[place].seam for place in places], behind)
        for place, said in zip(places, heard, strict=True):
            seams[place] = said.seam
        return [self._drafted(one, seam) for one, seam in zip(state, seams, strict=True)]

    def _drafted(self, one: _Filling, seam: float) -> Draft:
        line = self._line[one.tokens]
        return Draft(
            tokens=tuple(one.tokens.tolist()),
            seam=seam,
            logp=float(one.logp.sum()),
            breaks=int(line[:-1].sum()),
            closes=bool(self._closing[one.tokens[-1]]),
            ended=_first(self._ends[one.tokens]),
        )

    # ----------------------------------------------------------------------- forwards

    def _ask(self, rows: list[Tensor], at: list[Tensor], behind: list[Tensor]) -> list[_Heard]:
        """What the model says at some positions of rows, and of tokens at the last ones of these.

        rows [L] int64, at [Q] int64, behind [<= Q] int64
        """
        self.forwards += len(rows)

        def reader(index: int, parts: Parts) -> _Heard:
            return self._heard(whole(index, parts), behind[index])

        with torch.inference_mode():
            return self.model.read(rows, at, reader)

    def _heard(self, logits: Tensor, behind: Tensor) -> _Heard:
        logits[:, self._never] = -torch.inf
        logp = logits.log_softmax(-1)
        best, tokens = logp.max(-1)
        own = logp[len(logp) - len(behind) :].gather(1, behind.to(logp.device)[:, None])
        return _Heard(
            seam=float(own.clamp(min=_LEAST).mean()) if len(behind) else 0.0,
            best=best.cpu(),
            tokens=tokens.cpu(),
            **{name: self._mass(logp, kind) for name, kind in self._kinds.items()},
        )

    def _mass(self, logp: Tensor, kind: Tensor) -> Tensor:
        """Log-probability of a token of a kind: logp [Q, V], ids [K] -> [Q]"""
        return logp[:, kind.to(logp.device)].logsumexp(-1).cpu()  # of no ids at all it is -inf

    def _canvases(
        self, prefix: Sequence[int], suffix: Sequence[int], middles: Sequence[Sequence[int]]
    ) -> list[_Canvas]:
        """The canvases of middles, their context cut as the engine cuts it."""
        found = []
        gap = Gap(prefix=tuple(prefix), suffix=tuple(suffix), length=0, problem_id="")
        for middle in middles:
            held = replace(gap, length=len(middle), resizes=False)
            margins = cut_context(held, self.adapter, self.model.context)
            row = torch.tensor([*margins.head, *middle, *margins.tail])
            start = len(margins.head)
            behind = range(start + len(middle), min(start + len(middle) + SEAM, len(row)))
            found.append(
                _Canvas(
                    row=row,
                    gap=start + torch.arange(len(middle)),
                    seam=torch.tensor(behind, dtype=torch.int64),
                )
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canvas:
    """A row [L], and which positions in it are the gap's and the first ones behind it."""

    row: Tensor
    gap: Tensor
    seam: Tensor

    @property
    def behind(self) -> Tensor:
        """The tokens behind the gap."""
        return self.row[self.seam]

    def hidden(self, mask_id: int) -> Tensor:
        """The row with these masked."""
        return self.row.index_fill(0, self.seam, mask_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What the model says at Q positions: [Q] each, on the CPU."""

    seam: float
    """Mean log-probability of the tokens behind a gap; 0 of none."""
    best: Tensor
    tokens: Tensor
    line: Tensor
    closing: Tensor
    ends: Tensor


class _Filling:
    """A draft on its way."""

    def __init__(self, length: int, mask_id: int) -> None:
        self.tokens = torch.full((length,), mask_id)
        self.masked = torch.ones(length, dtype=torch.bool)
        self.logp = torch.zeros(length)

    def reveal(self, tokens: Tensor, logp: Tensor) -> None:
        """Take what is sure of the masks' tokens, in their order, and the surest in any case."""
        places = self.masked.nonzero().flatten()
        taken = logp.exp() >= SURE
        taken[int(logp.argmax())] = True
        chosen = places[taken]
        self.tokens[chosen], self.logp[chosen] = tokens[taken], logp[taken]
        self.masked[chosen] = False


def _not(logp: Tensor) -> Tensor:
    """log(1 - p), finite"""
    return torch.log1p(-logp.exp().clamp(max=1 - 1e-6))


def _first(flags: Tensor) -> int | None:
    places = flags.nonzero().flatten()
    return int(places[0]) if len(places) else None
