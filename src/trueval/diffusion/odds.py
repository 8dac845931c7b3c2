"""The distribution of each position, in the few kilobytes that a draw needs of it.

A position's vocabulary is ordered by descending logit, ties to the lower id. A draw needs the front
of that order alone, so the front is selected, and no vocabulary is sorted unless a number falls
behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trueval.errors import BackendError

FRONT = 256
"""Ids that are kept of a position, at least."""

_CHUNK = 32
_LAST_ID = 0x7FFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What can be drawn at Q positions of a canvas, at one temperature, top-k and top-p (CPU).

    A position is *certified* when all that top-k and top-p leave of it lies within its front of K
    ids. That is read off the front's weight and the whole vocabulary's, and the front is exact
    among ties as well. Of the other positions the logits are kept, and a draw sorts them only when
    its number falls behind the front.
    """

    ids: Tensor
    """int32 [Q, K]."""
    cumulative: Tensor
    """float64 [Q, K], weights summed up along the front; the best token's weight is 1."""
    logp: Tensor
    """float32 [Q, K], log-probabilities before top-k and top-p."""
    kept: Tensor
    """int64 [Q], how many tokens top-k and top-p leave, as far as the front reaches."""
    total: Tensor
    """float64 [Q], the weight of what top-k leaves."""
    log_all: Tensor
    """float64 [Q], log of the weight of the vocabulary."""
    margin: Tensor
    """float64 [Q], the probability of the best token less that of the second: in float32 it would
    be 1 for all that are nearly sure, and rank none of them."""
    entropy: Tensor
    """float32 [Q], in nats, before top-k and top-p; nan unless asked for."""
    own: Tensor
    """float32 [Q], the same of the tokens in place; nan unless these were given."""
    raw: dict[int, Tensor]
    """Of each position that is not certified: its logits, float32 [vocabulary]."""
    temperature: float
    top_p: float

    @classmethod
    def of(
        cls,
        logits: Tensor,
        *,
        temperature: float,
        top_k: int = 0,
        top_p: float = 1.0,
        never: Sequence[int] = (),
        own: Tensor | None = None,
        entropy: bool = False,
    ) -> Self:
        """The odds of float32 `logits` [Q, vocabulary]; `own` is int64 [Q], the tokens in place.

        The logits of the ids in `never` are set to -inf in place, to spare a copy: no draw returns
        them. Temperature 0 takes the likeliest token, with the log-probabilities of temperature 1.
        Of what top-k leaves (0 = all), the nucleus is the shortest front that reaches `top_p`
        (Holtzman et al. 2020, arXiv 1904.09751).

        Raises `BackendError` when the logits are not finite.
        """
        if never:
            logits[:, list(never)] = -torch.inf
        scale, size = temperature or 1.0, logits.shape[1]
        seen = _Front.of(logits, min(size, max(FRONT, top_k)), scale, own=own, entropy=entropy)
        cumulative = seen.scaled.exp().cumsum(1)
        width, log_all = seen.ids.shape[1], seen.weight.log()
        last = 1 if temperature == 0 else min(top_k or size, size)
        total = seen.weight if last > width else cumulative[:, last - 1]
        kept = _kept(cumulative, seen.scaled, total, min(last, width), top_p)
        short = (last > width) & (cumulative[:, -1] < top_p * total)
        reach = width if bool(short.any()) else int(kept.max())
        return cls(
            # Copies, so that what lies behind the longest nucleus is freed.
            ids=seen.ids[:, :reach].to(torch.int32, copy=True),
            cumulative=cumulative[:, :reach].clone(),
            logp=(seen.scaled - log_all[:, None]).float()[:, :reach].clone(),
            kept=kept,
            total=total,
            log_all=log_all,
            margin=seen.margin,
            entropy=seen.entropy.float(),
            own=(seen.own - log_all).float(),
            raw={row: logits[row].to("cpu", copy=True) for row in short.nonzero()[:, 0].tolist()},
            temperature=scale,
            top_p=top_p,
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The odds of one part's positions after those of another, all of the same options."""
        if len(parts) == 1:
            return parts[0]
        reach = max(part.ids.shape[1] for part in parts)
        starts = accumulate((len(part.kept) for part in parts), initial=0)

        def joined(name: str, behind: float = 0) -> Tensor:
            tensors = [getattr(part, name) for part in parts]
            if tensors[0].dim() == 2:
                tensors = [F.pad(t, (0, reach - t.shape[1]), value=behind) for t in tensors]
            return torch.cat(tensors)

        return cls(
            ids=joined("ids"),
            # Behind a part's longest nucleus, where no draw looks.
            cumulative=joined("cumulative", torch.inf),
            logp=joined("logp", -torch.inf),
            **{name: joined(name) for name in ("kept", "total", "log_all")},
            **{name: joined(name) for name in ("margin", "entropy", "own")},
            raw={
                start + row: logits
                for start, part in zip(starts, parts, strict=False)
                for row, logits in part.raw.items()
            },
            temperature=parts[0].temperature,
            top_p=parts[0].top_p,
        )

    def draw(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """One token a position by inverse CDF, from `u`, float64 [Q], strictly between 0 and 1.

        Returns the tokens, int64 [Q], and their log-probabilities before top-k and top-p,
        float32 [Q].
        """
        within = self.cumulative.gather(1, self.kept[:, None] - 1).squeeze(1)  # [Q]
        index = self._index(u * _reached(within, self.total, self.top_p))
        index = torch.minimum(index, self.kept - 1)[:, None]
        tokens = self.ids.gather(1, index).squeeze(1).long()
        logp = self.logp.gather(1, index).squeeze(1)
        for row in self._behind(u):
            tokens[row], logp[row] = self._draw_from_all(row, float(u[row]))
        return tokens, logp

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        tensors = [self.ids, self.cumulative, self.logp, self.kept, self.total, self.log_all]
        tensors += [self.margin, self.entropy, self.own, *self.raw.values()]
        return sum(tensor.nbytes for tensor in tensors)

    def _index(self, target: Tensor) -> Tensor:
        """The first place of each front whose cumulative weight is more than the target: [Q]."""
        return torch.searchsorted(self.cumulative, target[:, None], right=True).squeeze(1)

    def _behind(self, u: Tensor) -> list[int]:
        """Positions whose number may fall behind the front; for the others the front alone decides.

        Without a sort the weight of a nucleus is known to within one token, which weighs at most
        what the front's last does. Where both bounds lead to one place of the front, that is it.
        """
        if not self.raw:
            return []
        least = self.top_p * self.total  # [Q]
        smallest = self.logp[:, -1].double() + self.log_all
        # A margin for the rounding of the log-probability above.
        most = torch.minimum(least + smallest.exp() * (1 + 1e-5), self.total)
        low, high = self._index(u * least), self._index(u * most)
        sure = (low == high) & (low < self.cumulative.shape[1])
        return [row for row in self.raw if not sure[row]]

    def _draw_from_all(self, row: int, u: float) -> tuple[int, float]:
        """A draw at one position from the sorted vocabulary."""
        logits = self.raw[row]
        ids = _sorted(logits)
        front = _scaled(logits[ids], logits[ids[:1]], self.temperature)
        cumulative, total = front.exp().cumsum(0)[None], self.total[row : row + 1]
        kept = _kept(cumulative, front[None], total, len(ids), self.top_p)
        target = u * _reached(cumulative[:, kept[0] - 1], total, self.top_p)
        index = min(int(torch.searchsorted(cumulative, target[:, None], right=True)), int(kept) - 1)
        return int(ids[index]), float(front[index] - self.log_all[row])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Front:
    """What is read of logits before they are let go: a few kilobytes a position, on the CPU."""

    ids: Tensor
    """int64 [Q, K]."""
    scaled: Tensor
    """float64 [Q, K], logits less the best one, over temperature."""
    weight: Tensor
    """float64 [Q], of the vocabulary; the best token's is 1."""
    entropy: Tensor
    """float64 [Q]; nan unless asked for."""
    own: Tensor
    """float64 [Q], as `scaled`, of the tokens in place; nan unless these were given."""

    @classmethod
    def of(
        cls, logits: Tensor, count: int, scale: float, *, own: Tensor | None, entropy: bool
    ) -> Self:
        ids = _front(logits, count)  # [Q, K]
        best = logits.gather(1, ids[:, :1])  # [Q, 1]
        weigh = _weigh_at_once if logits.is_cuda else _weigh
        weight, spread = weigh(logits, best, scale, with_entropy=entropy)  # [Q], [Q]
        nan = torch.full_like(weight, torch.nan)
        held = nan if own is None else _scaled(logits.gather(1, own[:, None]), best, scale)[:, 0]
        front, spread = _scaled(logits.gather(1, ids), best, scale), spread if entropy else nan
        if logits.is_cuda:
            # Each copy waits for the GPU: one instead of four.
            numbers = torch.cat((front, torch.stack((weight, spread, held), dim=1)), dim=1).cpu()
            front, (weight, spread, held) = numbers[:, :-3], numbers[:, -3:].T.contiguous()
        if not bool(torch.isfinite(weight).all()):
            raise BackendError(
                "the model's logits are not finite",
                hint="its files may be damaged, or its precision too low: try --dtype float32",
            )
        return cls(ids=ids.cpu(), scaled=front, weight=weight, entropy=spread, own=held)

    @property
    def margin(self) -> Tensor:
        """The best token's probability less the second's: float64 [Q]."""
        second = F.pad(self.scaled[:, 1:2], (0, 1), value=-torch.inf)[:, 0].exp()
        return (1 - second) / self.weight


def _kept(cumulative: Tensor, front: Tensor, total: Tensor, last: int, top_p: float) -> Tensor:
    """How many of the first `last` tokens reach top_p of the total: [Q, K] -> int64 [Q].

    Tokens before which less than that is taken, and never one without weight.
    """
    before = torch.cat([torch.zeros_like(cumulative[:, :1]), cumulative[:, :-1]], dim=1)  # [Q, K]
    takes = (before < (top_p * total)[:, None]) & (front.exp() > 0)
    return takes[:, :last].sum(1)


def _reached(within: Tensor, total: Tensor, top_p: float) -> Tensor:
    """The weight of what is kept: `within`, but for its rounding, unlike the total's."""
    return torch.minimum(torch.maximum(within, top_p * total), total)


def _scaled(values: Tensor, best: Tensor, temperature: float) -> Tensor:
    """Logits less the largest, over temperature (in this order none overflows): float64."""
    return (values.double() - best.double()) / temperature


def _weigh(
    logits: Tensor, best: Tensor, temperature: float, *, with_entropy: bool
) -> tuple[Tensor, Tensor]:
    """Each position's weight and entropy: [Q, vocabulary] -> float64 [Q] each."""
    total = torch.zeros(len(logits), dtype=torch.float64, device=logits.device)
    moment = torch.zeros_like(total)
    # One row at a time, in buffers that stay in the cache: faster, and a row's sum does not depend
    # on the other rows.
    scaled, weight = torch.empty_like(logits[0]), torch.empty_like(logits[0])
    wide = torch.empty_like(scaled, dtype=torch.float64)
    for row, values in enumerate(logits):
        torch.sub(values, best[row], out=scaled).div_(temperature)
        total[row] = wide.copy_(torch.exp(scaled, out=weight)).sum()
        if with_entropy:
            # Not -inf, which times the weight 0 were nan.
            moment[row] = wide.mul_(scaled.clamp_(min=-1e4)).sum()
    return total, total.log() - moment / total


def _weigh_at_once(
    logits: Tensor, best: Tensor, temperature: float, *, with_entropy: bool
) -> tuple[Tensor, Tensor]:
    """The same on a GPU, where a kernel for each row would take longer than its work."""
    scaled = (logits - best).div_(temperature)
    weight = scaled.exp()
    total = weight.sum(1, dtype=torch.float64)
    if not with_entropy:
        return total, total.log()
    moment = weight.double().mul_(scaled.clamp_(min=-1e4)).sum(1)
    return total, total.log() - moment / total


def _front(values: Tensor, count: int) -> Tensor:
    """The first `count` ids of each row by descending value, ties to the lower id.

    float32 [Q, N] -> int64 [Q, count]. Chunks of ids are ranked by their largest value, ties to the
    lower chunk, and only the first `count` chunks are looked into. That is exact: each of these has
    an id that comes before every id of a chunk left out.
    """
    rows, size = values.shape
    chunks = size // _CHUNK
    if chunks < 2 * count:
        keys = _keys(values, torch.arange(size, device=values.device))
        return _ids(_largest(keys, count))
    body = chunks * _CHUNK
    peaks = values[:, :body].view(rows, chunks, _CHUNK).amax(2)  # [Q, chunks]
    chosen = _ids(_largest(_keys(peaks, torch.arange(chunks, device=values.device)), count))
    within = torch.arange(_CHUNK, device=values.device)
    ids = (chosen[:, :, None] * _CHUNK + within).view(rows, -1)  # [Q, count * chunk]
    rest = torch.arange(body, size, device=values.device).expand(rows, -1)
    ids = torch.cat([ids, rest], dim=1)
    return _ids(_largest(_keys(values.gather(1, ids), ids), count))


def _keys(values: Tensor, ids: Tensor) -> Tensor:
    """Integers whose descending order is that of the values, ties to the lower id: int64."""
    # Adding 0 turns -0 into 0. A float's bits sort as an integer's do, negative ones in reverse.
    bits = (values + 0.0).view(torch.int32)
    ordered = bits ^ ((bits >> 31) & _LAST_ID)
    return (ordered.long() << 32) + (_LAST_ID - ids)


def _ids(keys: Tensor) -> Tensor:
    return _LAST_ID - (keys & 0xFFFFFFFF)


def _largest(keys: Tensor, count: int) -> Tensor:
    """The `count` largest keys of each row, from the largest: [Q, N] -> [Q, count]."""
    if keys.is_cuda:
        return keys.topk(count).values
    # Many times as fast as torch's on a CPU. The keys are all different, so there is one answer.
    array, size = keys.numpy(), keys.shape[1]
    if count < size:
        array = np.partition(array, size - count, axis=1)[:, size - count :]
    return torch.from_numpy(np.sort(array, axis=1)[:, ::-1].copy())


def _sorted(values: Tensor) -> Tensor:
    """All ids of one position in order: float32 [N] -> int64 [N]."""
    return _ids(_largest(_keys(values, torch.arange(len(values)))[None], len(values)))[0]
