"""What a model shows of a gap's length: how a gap of masks looks to it, and a quick filling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trueval.diffusion.gaps import Gap, cut_context
from trueval.diffusion.model import Model, Window
from trueval.diffusion.packs import Parts, whole, window_bucket

__all__ = ["Draft", "Eye", "Heard", "Probe", "Told", "View"]

SURE = 0.9
"""A draft reveals all tokens of at least this probability at once (Fast-dLLM, arXiv 2505.22618)."""
SEAM = 2
"""Tokens behind the gap that are masked to see whether the model expects them there."""
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


class Draft:
    """A gap that is being filled greedily, the surest tokens first."""

    def __init__(self, length: int, mask_id: int, *, has_seam: bool) -> None:
        self.tokens = torch.full((length,), mask_id)
        """int64 [length]"""
        self.logp = 0.0
        """The sum of each token's log-probability as of when it was revealed: of the whole text, by
        the chain rule in that order, as far as tokens revealed together are independent."""
        self.seam: float | None = None if has_seam else 0.0
        """Mean log-probability of the suffix's first tokens, masked beside the filled gap."""
        self._masked = torch.ones(length, dtype=torch.bool)

    @property
    def masks(self) -> Tensor:
        """The places of masks."""
        return self._masked.nonzero().flatten()

    @property
    def is_filled(self) -> bool:
        """No mask is left."""
        return not self._masked.any()

    @property
    def is_over(self) -> bool:
        """It is filled, and its seam was looked at."""
        return self.seam is not None and self.is_filled

    def reveal(self, tokens: Tensor, logp: Tensor) -> None:
        """Take what is sure of the masks' tokens, in their order, and the surest in any case."""
        taken = logp.exp() >= SURE
        taken[int(logp.argmax())] = True
        chosen = self.masks[taken]
        self.tokens[chosen] = tokens[taken]
        self.logp += float(logp[taken].sum())
        self._masked[chosen] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What stands in a filled gap."""

    breaks: int
    """Tokens but the last that end a line."""
    closes: bool
    """The last token ends a line."""
    ended: int | None
    """Index of the first end token."""


class Eye:
    """Looks at gaps by one model."""

    def __init__(self, model: Model) -> None:
        self.model, self.adapter = model, model.adapter
        texts = [model.decode([token]) for token in range(model.vocab_size)]
        self.line = torch.tensor(["\n" in text for text in texts])
        self.closing = torch.tensor([text.endswith("\n") for text in texts])
        self.ends = torch.zeros(model.vocab_size, dtype=torch.bool)
        self.ends[list(self.adapter.end_ids)] = True
        flags = {"line": self.line, "closing": self.closing, "ends": self.ends}
        self._kinds = {name: kind.nonzero().flatten() for name, kind in flags.items()}
        never = {*self.adapter.never, self.adapter.expand_id, self.adapter.delete_id} - {None}
        self._never = sorted(number for number in never if number is not None)

    @property
    def most(self) -> int:
        """The longest gap that the model has room for."""
        return self.model.context - (self.adapter.bos_id is not None)

    def at(self, prefix: Sequence[int], suffix: Sequence[int], likeliest: int, most: int) -> View:
        """A look at the gap between two texts, which has up to `most` tokens: one full pass.

        It is made with a gap of the likeliest length.
        """
        # The context is cut for the longest of them, as the engine cuts it.
        gap = Gap(
            prefix=tuple(prefix), suffix=tuple(suffix), length=most, problem_id="", resizes=False
        )
        margins = cut_context(gap, self.adapter, self.model.context)
        head, tail = (
            torch.tensor(part, dtype=torch.int64) for part in (margins.head, margins.tail)
        )
        return View(self, head, tail, likeliest)

    def heard(self, logits: Tensor, behind: Tensor, *, kinds: bool) -> Heard:
        """What logits [Q, V] say at Q positions, and of tokens at the last ones of these.

        Of kinds of tokens only where that is asked for.
        """
        logits[:, self._never] = -torch.inf
        logp = logits.log_softmax(-1)
        best, tokens = logp.max(-1)
        own = logp[len(logp) - len(behind) :].gather(1, behind.to(logp.device)[:, None])
        return Heard(
            seam=float(own.clamp(min=_LEAST).mean()) if len(behind) else 0.0,
            best=best.cpu(),
            tokens=tokens.cpu(),
            kinds={name: self._mass(logp, k) for name, k in self._kinds.items()} if kinds else {},
        )

    def _mass(self, logp: Tensor, kind: Tensor) -> Tensor:
        """Log-probability of a token of a kind: logp [Q, V], ids [K] -> [Q]"""
        return logp[:, kind.to(logp.device)].logsumexp(-1).cpu()  # of no ids at all it is -inf


class View:
    """One gap, at any length: the keys and values of its context are computed once.

    Each length is a window of its own beside them, whose suffix is turned to where it stands then
    (`Model.resized`). What the context makes of a gap of another length is left out: an
    approximation, which the calibration is made with as well. A probe or a draft depends on
    context, length and the likeliest length alone.
    """

    def __init__(self, eye: Eye, head: Tensor, tail: Tensor, likeliest: int) -> None:
        self._eye, self._model, self._mask = eye, eye.model, eye.adapter.mask_id
        self._head, self._tail = head, tail
        self._seams = min(SEAM, len(tail))
        self._behind = tail[: self._seams].clone()
        self._likeliest = likeliest
        self._windows: dict[int, Window] = {}
        self.cost = 0.0
        """Positions computed so far, in passes over the whole canvas."""
        canvas = self._canvas(torch.full((likeliest,), self._mask), hidden=True)
        over = len(head) + torch.arange(likeliest + self._seams)
        with torch.inference_mode():
            [(self._window, _)] = self._model.windows([canvas], [over[:1]], [over], whole)
        self.cost += 1

    def probe(self, lengths: Sequence[int]) -> list[Probe]:
        """Look at gaps of masks, one of each length, all in one batch.

        The first `SEAM` tokens of the suffix are masked with the gap: where the gap is too long or
        too short, the model expects others there.
        """
        masks = [torch.full((length,), self._mask) for length in lengths]
        rows = [self._canvas(middle, hidden=True) for middle in masks]
        asked = [torch.arange(length + self._seams) for length in lengths]
        heard = self._ask(rows, asked, [self._behind] * len(rows), kinds=True)
        return [self._seen(length, one) for length, one in zip(lengths, heard, strict=True)]

    def _seen(self, length: int, heard: Heard) -> Probe:
        tokens = heard.tokens[:length]
        return Probe(
            length=length,
            seam=heard.seam,
            surest=float(heard.best[:length].mean()),
            closes=max(_LEAST, float(heard.kinds["closing"][length - 1])),
            unbroken=max(_LEAST, float(_not(heard.kinds["line"][: length - 1]).sum())),
            unended=max(_LEAST, float(_not(heard.kinds["ends"][:length]).sum())),
            line_at=_first(self._eye.line[tokens]),
            end_at=_first(self._eye.ends[tokens]),
        )

    def begun(self, length: int) -> Draft:
        """A draft of a gap of so many tokens, all of them masks yet."""
        return Draft(length, self._mask, has_seam=bool(self._seams))

    def together(self, ranked: Sequence[int]) -> list[int]:
        """Of ranked lengths the first, and as many of the next ones as share a pack with it."""
        around = len(self._window.places) - self._likeliest
        sizes = [window_bucket(length + around) for length in ranked]
        alike = [n for n, size in zip(ranked, sizes, strict=True) if size == sizes[0]]
        return alike[: self._model.window_rows]

    def advance(self, drafts: Sequence[Draft]) -> None:
        """One pass over each gap: it reveals tokens, or looks at the seam of one that is filled.

        Of the masks the likeliest token is revealed, and all others that are `SURE`.
        """
        rows = [self._canvas(one.tokens, hidden=one.is_filled) for one in drafts]
        seam = torch.arange(self._seams)
        asked = [len(d.tokens) + seam if d.is_filled else d.masks for d in drafts]
        behind = [self._behind if one.is_filled else self._behind[:0] for one in drafts]
        for one, said in zip(drafts, self._ask(rows, asked, behind, kinds=False), strict=True):
            if one.is_filled:
                one.seam = said.seam
            else:
                one.reveal(said.tokens, said.best)

    def told(self, draft: Draft) -> Told:
        """What stands in a draft, which means something once it is filled."""
        line = self._eye.line[draft.tokens]
        return Told(
            breaks=int(line[:-1].sum()),
            closes=bool(self._eye.closing[draft.tokens[-1]]),
            ended=_first(self._eye.ends[draft.tokens]),
        )

    def _ask(
        self,
        rows: Sequence[Tensor],
        asked: Sequence[Tensor],
        behind: Sequence[Tensor],
        *,
        kinds: bool,
    ) -> list[Heard]:
        """What the model says at some places of gaps, and of tokens at the last ones of these.

        rows [L] int64; asked [Q] int64, from the gap's start on; behind [<= Q] int64
        """
        at = [len(self._head) + places for places in asked]
        found, pack = list[Heard](), self._model.window_rows
        for start in range(0, len(rows), pack):
            some = range(start, min(start + pack, len(rows)))

            def reader(index: int, parts: Parts, start: int = start) -> Heard:
                return self._eye.heard(whole(index, parts), behind[start + index], kinds=kinds)

            with torch.inference_mode():
                windows = [self._sized(rows[i]) for i in some]
                rows_, at_ = [rows[i] for i in some], [at[i] for i in some]
                found += self._model.rewindow(windows, rows_, at_, reader, wide=True)
        return found

    def _sized(self, row: Tensor) -> Window:
        """The window of a row, of which the last few are kept; another comes out the same."""
        length = len(row) - len(self._head) - len(self._tail)
        window = self._windows.pop(length, None) or self._model.resized(
            self._window, row, at=len(self._head), old=self._likeliest, new=length
        )
        self._windows[length] = window
        if len(self._windows) > 2 * self._model.window_rows:
            del self._windows[next(iter(self._windows))]
        self.cost += len(window.places) / len(row)
        return window

    def _canvas(self, middle: Tensor, *, hidden: bool) -> Tensor:
        """A row [L]; `hidden`: with the tokens behind the gap masked as well."""
        tail = self._tail
        if hidden:
            tail = tail.clone()
            tail[: self._seams] = self._mask
        return torch.cat((self._head, middle, tail))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the model says at Q positions: [Q] each, on the CPU."""

    seam: float
    """Mean log-probability of the tokens behind a gap; 0 of none."""
    best: Tensor
    tokens: Tensor
    kinds: Mapping[str, Tensor]
    """Log-probability of a token that holds a newline (`line`), ends with one (`closing`) or ends
    the text (`ends`)."""


def _not(logp: Tensor) -> Tensor:
    """log(1 - p), finite"""
    return torch.log1p(-logp.exp().clamp(max=1 - 1e-6))


def _first(flags: Tensor) -> int | None:
    places = flags.nonzero().flatten()
    return int(places[0]) if len(places) else None
