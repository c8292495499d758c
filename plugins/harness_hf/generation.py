"""Generation: rows are decoded together, leave when they are finished, and none depends on the others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from harness_hf.batching import CACHED_TOKENS, TokenBudget
from harness_hf.decoder import Decoder, expanded, positions_of
from harness_hf.sharing import shared_length
from harness_hf.stepping import BATCH_ROWS, run_stepping
from harness_hf.writing import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness_hf.prefixes import Prefixes
    from harness_hf.writing import Answer


@torch.inference_mode()
def generate(
    decoder: Decoder,
    answers: Sequence[Answer],
    decode: Callable[[Sequence[int]], str],
    budget: TokenBudget,
    prefixes: Prefixes | None,
) -> None:
    """Fill in new tokens, text and finish of each answer.

    Args:
        decoder: the model.
        answers: to be filled in.
        decode: tokens -> text.
        budget: tokens in one forward.
        prefixes: what earlier calls have left; None for a call that shall neither take nor leave anything.

    Raises:
        ModelError: when logits are not numbers.
    """
    asked = [one for one in answers if one.limit > 0]
    before = decoder.counters.forwarded
    stepped = [one for one in asked if decoder.cascades(len(one.ids) + one.limit)]
    if stepped:
        run_stepping(decoder, stepped, budget, prefixes, decode)
    _generate_padded(decoder, [one for one in asked if not decoder.cascades(len(one.ids) + one.limit)], decode, budget)
    alone = sum(len(one.ids) + len(one.new) - 1 for one in asked)
    decoder.counters.add(reused=max(0, alone - (decoder.counters.forwarded - before)))


def _generate_padded(
    decoder: Decoder, asked: Sequence[Answer], decode: Callable[[Sequence[int]], str], budget: TokenBudget
) -> None:
    """For models that can't run a trie: prompts padded on the left, with the prefix that they share copied for each."""
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
    """Prompts are padded on the left, between the shared prefix and each one's own tokens, and masked there.

    Equal prompts run once, and are then copied for each of their rows.
    """
    prompts = list(dict.fromkeys(one.ids for one in rows))
    cache = expanded(prefix, len(prompts)) if prefix is not None else DynamicCache()
    longest = max(map(len, prompts))
    gaps = [longest - len(prompt) for prompt in prompts]
    tensor = partial(torch.tensor, device=decoder.model.device)
    ids = tensor([[0] * gap + list(prompt[shared:]) for gap, prompt in zip(gaps, prompts, strict=True)])  # (P, L)
    mask = tensor([[1] * shared + [0] * gap + [1] * (longest - shared - gap) for gap in gaps])  # (P, shared + L)
    positions = positions_of(mask)[:, shared:]  # (P, L)
    logits = _last_logits(decoder, ids, cache, mask, positions)  # (P, V)
    decoder.counters.add(forwarded=ids.numel() - sum(gaps), padded=sum(gaps))
    if len(prompts) < len(rows):
        numbers = {prompt: at for at, prompt in enumerate(prompts)}
        copies = tensor([numbers[one.ids] for one in rows])  # (B,)
        cache.batch_select_indices(copies)
        logits, mask, positions = logits[copies], mask[copies], positions[copies]
    while True:
        tokens = [choose(one, row) for one, row in zip(rows, logits, strict=True)]
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
        logits = _last_logits(decoder, ids, cache, mask, positions)  # (B, V)
        decoder.counters.add(forwarded=len(rows))


def _last_logits(decoder: Decoder, ids: Tensor, cache: DynamicCache, mask: Tensor, positions: Tensor) -> Tensor:
    """(B, L) tokens after those of the cache -> (B, V) logits at the last of them."""
    everyone = torch.arange(len(ids), device=ids.device)
    last = torch.full_like(everyone, ids.shape[1] - 1)
    return torch.cat([*decoder.logits(ids, everyone, last, cache=cache, mask=mask, positions=positions)])


def _recompute(decoder: Decoder, one: Answer, decode: Callable[[Sequence[int]], str]) -> None:
    """Without a cache that can be shared: all runs again for each token. Slow, and right for every architecture."""
    device = decoder.model.device
    while True:
        ids = torch.tensor([[*one.ids, *one.new]], device=device)
        last = torch.tensor([ids.shape[1] - 1], device=device)
        (logits,) = decoder.logits(ids, torch.zeros_like(last), last)
        decoder.counters.add(forwarded=ids.numel())
        if one.add(choose(one, logits[0]), decode):
            return
