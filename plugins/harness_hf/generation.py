"""Generation: one decode loop for a batch; rows leave it when they are finished, and none depends on the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from transformers import DynamicCache

from harness.errors import ModelError
from harness_hf.batching import CACHED_TOKENS, TokenBudget
from harness_hf.decoder import Decoder, expanded, positions_of
from harness_hf.sharing import shared_length

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedTokenizerBase

BATCH_ROWS = 64
"""Rows decoded together: up to about this many, a step on a CPU costs little more than for one."""


@dataclass(slots=True)
class Answer:
    """A prompt on its way to being answered.

    Attributes:
        name: for errors.
        ids: tokens of the prompt.
        limit: most new tokens.
        stop: strings that end it and are not part of it.
        temperature: 0 takes the most likely token, else one is drawn from softmax(logits / temperature).
        seed: of the draws.
        ends: tokens that end it.
        new: tokens so far, the ending one included.
        text: what they say, when it is finished.
        finish: why it is finished.
        draws: the random numbers of this answer alone.
    """

    name: str
    ids: tuple[int, ...]
    limit: int
    stop: tuple[str, ...]
    temperature: float
    seed: int
    ends: frozenset[int]
    new: list[int] = field(default_factory=list)
    text: str = ""
    finish: Literal["stop", "length"] = "length"
    draws: torch.Generator | None = None

    def begin(self) -> None:
        """Forget what a batch that ran out of memory has left."""
        self.new = []
        self.draws = torch.Generator().manual_seed(self.seed)

    def add(self, token: int, decode: Callable[[Sequence[int]], str]) -> bool:
        """Take a token; True when the answer is finished with it."""
        self.new.append(token)
        if token in self.ends:
            self.text, self.finish = decode(self.new[:-1]), "stop"
            return True
        last = len(self.new) == self.limit
        if not (last or self.stop):
            return False
        text = decode(self.new)
        found = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        if found:
            self.text, self.finish = text[: min(found)], "stop"
        elif last:
            self.text = text
        return bool(found) or last


def ending_tokens(decoder: Decoder, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str]) -> frozenset[int]:
    """Tokens that end a text by model and tokenizer, and stop strings that are special tokens (no text shows them)."""
    config = decoder.model.generation_config
    named = None if config is None else config.eos_token_id
    ends = {tokenizer.eos_token_id, *(named if isinstance(named, (list, tuple)) else [named])}
    special = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    return frozenset(int(token) for token in (*ends, *(special.get(word) for word in stop)) if token is not None)


@torch.inference_mode()
def generate(
    decoder: Decoder, answers: Sequence[Answer], decode: Callable[[Sequence[int]], str], budget: TokenBudget
) -> None:
    """Fill in new tokens, text and finish of each answer.

    Raises:
        ModelError: when logits are not numbers.
    """
    asked = [one for one in answers if one.limit > 0]
    shared = shared_length([one.ids for one in asked], [len(one.ids) - 1 for one in asked])
    shared = shared if decoder.shares_padded else 0
    prefix = decoder.remember(asked[0].ids[:shared]) if shared else None

    def weight(one: Answer) -> int:
        total = len(one.ids) + one.limit
        return max(budget.tokens // BATCH_ROWS, total // CACHED_TOKENS) if decoder.pads else budget.tokens

    def forward(batch: Sequence[Answer]) -> None:
        for one in batch:
            one.begin()
        if decoder.pads:
            _decode(decoder, list(batch), decode, shared, prefix)
        else:
            _recompute(decoder, batch[0], decode)

    budget.run(asked, weight, forward)


def _decode(
    decoder: Decoder,
    rows: list[Answer],
    decode: Callable[[Sequence[int]], str],
    shared: int,
    prefix: DynamicCache | None,
) -> None:
    """Prompts are padded on the left, between the shared prefix and each row's own tokens, and masked there."""
    cache = expanded(prefix, len(rows)) if prefix is not None else DynamicCache()
    longest = max(len(one.ids) for one in rows)
    gaps = [longest - len(one.ids) for one in rows]
    tensor = partial(torch.tensor, device=decoder.model.device)
    ids = tensor([[0] * gap + list(one.ids[shared:]) for gap, one in zip(gaps, rows, strict=True)])  # (B, L)
    mask = tensor([[1] * shared + [0] * gap + [1] * (longest - shared - gap) for gap in gaps])  # (B, shared + L)
    positions = positions_of(mask)[:, shared:]  # (B, L)
    while True:
        everyone = torch.arange(len(rows), device=ids.device)
        last = torch.full_like(everyone, ids.shape[1] - 1)
        logits = torch.cat(
            [*decoder.logits(ids, everyone, last, cache=cache, mask=mask, positions=positions)]
        )  # (B, V)
        tokens = [_choose(one, row) for one, row in zip(rows, logits, strict=True)]
        going = [at for at, (one, token) in enumerate(zip(rows, tokens, strict=True)) if not one.add(token, decode)]
        if not going:
            return
        if len(going) < len(rows):
            kept = tensor(going)
            cache.batch_select_indices(kept)
            rows, mask, positions = [rows[at] for at in going], mask[kept], positions[kept]
        ids = tensor([[tokens[at]] for at in going])  # (B, 1)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        positions = positions[:, -1:] + 1


def _recompute(decoder: Decoder, one: Answer, decode: Callable[[Sequence[int]], str]) -> None:
    """Without a cache that can be shared: all runs again for each token. Slow, and right for every architecture."""
    device = decoder.model.device
    while True:
        ids = torch.tensor([[*one.ids, *one.new]], device=device)
        last = torch.tensor([ids.shape[1] - 1], device=device)
        (logits,) = decoder.logits(ids, torch.zeros_like(last), last)
        if one.add(_choose(one, logits[0]), decode):
            return


def _choose(one: Answer, logits: Tensor) -> int:
    """The next token: the likeliest, or where the cumulative distribution passes a number drawn from the seed."""
    best = int(logits.argmax())
    if not logits[best].isfinite():
        raise ModelError(f"{one.name}: the model's logits are not finite")
    if one.temperature == 0:
        return best
    cumulative = (logits.double().cpu() / one.temperature).softmax(-1).cumsum(-1)
    point = torch.rand((), generator=one.draws, dtype=torch.float64) * cumulative[-1]
    return min(int(torch.searchsorted(cumulative, point, right=True)), len(logits) - 1)
