"""One gap while it is being filled: its tokens, and which step comes next."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trueval.diffusion.adapters import Adapter
from trueval.diffusion.gaps import Filling, Gap, Margins, cut_context
from trueval.diffusion.noise import Noise
from trueval.diffusion.odds import Odds
from trueval.diffusion.rules import RULES, Draws, Rule, Step, draw
from trueval.diffusion.settings import SCHEDULED

__all__ = ["Block", "Canvas", "plan_blocks"]

_PACED = (*SCHEDULED, "threshold", "factor")


@dataclass(frozen=True, slots=True)
class Block:
    """Positions that are filled together, and the steps they have for it."""

    size: int
    steps: int


def plan_blocks(
    length: int, steps: int, size: int | None, *, first: int | None = None
) -> list[Block]:
    """A gap in blocks from left to right, with the steps dealt out evenly.

    Semi-autoregressive decoding as in LLaDA (arXiv 2502.09992). No block goes without a step: where
    there are fewer steps than blocks, the blocks are larger. With `first`, the size of the first,
    they lie where they lay in training, and are not moved: there are as many steps as it takes.
    """
    if length == 0:
        return []
    size = length if size is None else size
    sizes = [min(first or size, length)]
    while (left := length - sum(sizes)) > 0:
        sizes.append(min(size, left))
    if first is None and len(sizes) > steps:
        return plan_blocks(length, steps, -(-length // steps))
    steps = max(steps, len(sizes))
    ends = [steps * n // len(sizes) for n in range(len(sizes) + 1)]
    return [Block(size, b - a) for size, a, b in zip(sizes, ends[:-1], ends[1:], strict=True)]


@dataclass(slots=True, kw_only=True, eq=False)
class Canvas:
    """The state of one gap. All of its tensors are on the CPU."""

    gap: Gap
    adapter: Adapter
    margins: Margins
    rule: Rule
    noise: Noise
    context: Hashable
    """What all gaps of the same context share."""
    head: Tensor
    tail: Tensor
    tokens: Tensor
    """int64 [V]"""
    logp: Tensor
    """float32 [V], 0 where there is a mask."""
    blocks: list[Block]
    block: int = 0
    first: int = 0
    """Where the block starts in the gap."""
    numbered: int = 0
    """How many positions noise has numbered in the blocks before: where those have shrunk, more
    than there are, so that no number is used twice."""
    widest: int = 0
    """How many it has in this block."""
    index: int = 0
    """The block's next step."""
    forwards: int = 0
    window_forwards: int = 0
    steps_run: int = 0
    memo_hits: int = 0
    history: list[tuple[int, ...]] = field(default_factory=list)

    @classmethod
    def of(cls, gap: Gap, adapter: Adapter, context: int) -> Canvas:
        """The gap full of masks, in what fits of its context. Raises `ConfigError`."""
        margins = cut_context(gap, adapter, context)
        settings, size, first = gap.settings, gap.settings.block, None
        if not adapter.infills and adapter.block is not None:
            # Its blocks lie where they lay in training, whatever the prefix's length.
            size, first = adapter.block, adapter.block - len(margins.head) % adapter.block
        elif size is None and not gap.suffix:
            # As LLaDA's generate.py completes. A hole is filled at once: both of its ends are seen.
            size = adapter.block
        canvas = cls(
            gap=gap,
            adapter=adapter,
            margins=margins,
            rule=RULES[settings.sampler],
            noise=Noise(gap.seed, gap.problem_id, gap.sample_index),
            context=(margins.head, margins.tail),
            head=torch.tensor(margins.head, dtype=torch.int64),
            tail=torch.tensor(margins.tail, dtype=torch.int64),
            tokens=torch.full((gap.length,), adapter.mask_id),
            logp=torch.zeros(gap.length),
            blocks=plan_blocks(gap.length, settings.steps, size, first=first),
        )
        canvas._record()
        return canvas

    # ----------------------------------------------------------------------- what a step needs

    def next_step(self) -> Step | None:
        """The next step that may change anything; none when the gap is done.

        Steps that cannot are passed over here, and cost nothing.
        """
        while self.block < len(self.blocks) and not self._is_told():
            block = self.blocks[self.block]
            self.widest = max(self.widest, block.size)
            while self.index < block.steps and block.size:
                step = self._step(block)
                if bool(self.rule.may_change(step).any()):
                    return step
                self.index += 1
            self.first += block.size
            self.numbered, self.widest = self.numbered + self.widest, 0
            self.block, self.index = self.block + 1, 0
        return None

    def _is_told(self) -> bool:
        """Whether an end token stands where nothing to its left can change: the text is known.

        A rule that revisits may still change a revealed token of the block at hand.
        """
        masks = (self.tokens == self.adapter.mask_id).nonzero()
        if not len(masks) or not self.adapter.end_ids:
            return False
        fixed = self.first if self.rule.revisits else int(masks[0])
        return any(token in self.adapter.end_ids for token in self.tokens[:fixed].tolist())

    def _step(self, block: Block) -> Step:
        tokens = self.tokens[self.first : self.first + block.size]
        masked = tokens == self.adapter.mask_id
        steps = block.steps
        if self._resizes and self.rule.name in _PACED:
            # One mask a step from the first on, as DreamOn decodes: how many there will be is not
            # known, and a schedule by the steps would hold the expanding back to the last ones.
            steps = min(steps, self.index + max(1, int(masked.sum())))
        return Step(
            index=self.index,
            steps=steps,
            tokens=tokens,
            masked=masked,
            mask_id=self.adapter.mask_id,
            noise=self.noise,
            settings=self.gap.settings,
            first=self.numbered,
        )

    def asked(self, step: Step) -> Tensor:
        """Positions of the step's block whose odds are asked for: int64 [Q].

        A function of rule and canvas alone: how many outputs are computed can move their last bits,
        so what the memo holds has to be what a forward would give.
        """
        if self.rule.compares:
            return torch.arange(len(step.tokens))
        return step.masked.nonzero().flatten()

    def reads(self, step: Step) -> bool:
        """Whether the step needs any odds: ReMDM can have steps that only mask again."""
        return bool(self.rule.reads(step).any())

    @property
    def row(self) -> Tensor:
        """What the model sees: int64 [L]. A model that only completes sees no later block."""
        if self.adapter.infills:
            return torch.cat([self.head, self.tokens, self.tail])
        shown = self.tokens[: self.first + self.blocks[self.block].size]
        return torch.cat([self.head, shown])

    @property
    def start(self) -> int:
        """Where the block starts in the row."""
        return len(self.head) + self.first

    @property
    def key(self) -> Hashable:
        """Names the odds of this canvas among those of its context."""
        return (self.taste, self.first, self.block_size, self.tokens.numpy().tobytes())

    @property
    def taste(self) -> Hashable:
        """What of the settings its odds depend on."""
        s, rule = self.gap.settings, self.rule
        kind = (rule.compares, rule.needs_entropy, rule.needs_own)
        return (s.temperature, s.top_p, s.top_k, kind, self.never)

    @property
    def block_size(self) -> int:
        """Positions in the block that is being filled."""
        return self.blocks[self.block].size

    @property
    def never(self) -> tuple[int, ...]:
        """Ids that this step may not draw."""
        never, adapter = self.adapter.never, self.adapter
        if adapter.delete_id is not None and not self.gap.resizes:
            never = (*never, adapter.delete_id)
        if adapter.expand_id is not None and not self._may_expand:
            never = (*never, adapter.expand_id)
        return never

    def odds(self, step: Step, parts: Iterable[Tensor]) -> Odds:
        """The odds of the positions asked for, from their logits, some positions at a time.

        parts: float32 [n, vocabulary] each
        """
        settings, asked, found = self.gap.settings, self.asked(step), list[Odds]()
        for logits in parts:
            at, asked = asked[: len(logits)], asked[len(logits) :]
            own = step.tokens[at].to(logits.device) if self.rule.needs_own else None
            odds = Odds.of(
                logits,
                temperature=settings.temperature,
                top_k=settings.top_k,
                top_p=settings.top_p,
                never=self.never,
                own=own,
                entropy=self.rule.needs_entropy,
            )
            found.append(odds)
        return Odds.joined(found)

    # ----------------------------------------------------------------------- what a step does

    def apply(self, step: Step, odds: Odds | None) -> None:
        """Run a step with the odds of the positions it asked for; none where it reads none."""
        draws = _no_draws(step) if odds is None else draw(step, self.asked(step), odds)
        after = self.rule.apply(step, draws)
        self._note(step, draws, after)
        span = slice(self.first, self.first + len(after))
        self.tokens[span] = after
        if self._resizes:
            self._resize()
        self.index += 1
        self.steps_run += 1
        self._record()

    def _note(self, step: Step, draws: Draws, after: Tensor) -> None:
        """Log-probabilities of the tokens that were revealed; none of those that were masked."""
        gone = after == self.adapter.mask_id
        logp = self.logp[self.first : self.first + len(after)]
        logp[step.masked & ~gone] = draws.confidence[step.masked & ~gone]
        logp[gone] = 0.0

    def _resize(self) -> None:
        """Let the block's expand and delete tokens act."""
        block, room = self.blocks[self.block], self.margins.limit - len(self.tokens)
        here, end = slice(self.first, self.first + block.size), self.first + block.size
        tokens, logp = _resized(
            self.tokens[here].tolist(),
            self.logp[here].tolist(),
            room,
            self.adapter,
            delete_rest=self.gap.settings.delete_rest,
        )
        middle = torch.tensor(tokens, dtype=torch.int64)
        self.tokens = torch.cat((self.tokens[: self.first], middle, self.tokens[end:]))
        sure = torch.tensor(logp, dtype=torch.float32)
        self.logp = torch.cat((self.logp[: self.first], sure, self.logp[end:]))
        self.blocks[self.block] = Block(len(tokens), block.steps)

    @property
    def _resizes(self) -> bool:
        return self.adapter.expand_id is not None and self.gap.resizes

    @property
    def _may_expand(self) -> bool:
        """Not in a block's last step, which has to leave no mask, nor when the gap is full."""
        is_last = self.index == self.blocks[self.block].steps - 1
        return self._resizes and not is_last and len(self.tokens) < self.margins.limit

    def _record(self) -> None:
        if self.gap.trace:
            self.history.append(tuple(self.tokens.tolist()))

    # ----------------------------------------------------------------------- the end

    def filling(self) -> Filling:
        """The result, once no step is left."""
        tokens, settings = tuple(self.tokens.tolist()), self.gap.settings
        ends = (place for place, token in enumerate(tokens) if token in self.adapter.end_ids)
        ended = next(ends, None)
        if ended is not None and self.adapter.mask_id in tokens:
            tokens = tokens[: ended + 1]
        exact = settings.mode == "exact"
        return Filling(
            tokens=tokens,
            ended=ended,
            mode="exact" if exact else f"{settings.mode}, refreshed every {settings.refresh}",
            forwards=self.forwards,
            window_forwards=self.window_forwards,
            steps_run=self.steps_run,
            memo_hits=self.memo_hits,
            logp=float(self.logp[: len(tokens)].sum()),
            cut=self.margins.cut,
            history=tuple(self.history),
        )


def _no_draws(step: Step) -> Draws:
    blank = torch.zeros(len(step.tokens))
    return Draws(tokens=step.tokens, confidence=blank, margin=blank, entropy=blank, own=blank)


def _resized(
    tokens: Sequence[int],
    logp: Sequence[float],
    room: int,
    adapter: Adapter,
    *,
    delete_rest: bool,
) -> tuple[list[int], list[float]]:
    """A block with two masks for each drawn expand token, and without what is to be deleted.

    DreamOn (arXiv 2602.01326; its hub code takes out one mask, and its evaluation, with
    `delete_rest`, every mask to the right as well). An expand token for which no room is left stays
    one mask.
    """
    kept, sure, rest = list[int](), list[float](), False
    for token, odds in zip(tokens, logp, strict=True):
        expands = token == adapter.expand_id
        if token == adapter.delete_id or (rest and (expands or token == adapter.mask_id)):
            room, rest = room + 1, delete_rest
            continue
        copies = 2 if expands and room > 0 else 1
        kept += [adapter.mask_id if expands else token] * copies
        sure += [0.0 if expands else odds] * copies
        room -= copies - 1
    return kept, sure
