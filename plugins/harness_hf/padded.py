"""Rows in padded batches, with the prefix that a call has in common run once: for models that can't run a trie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness_hf.batching import CACHED_TOKENS
from harness_hf.decoder import expanded
from harness_hf.sharing import shared_length
from harness_hf.transfer import on_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import DynamicCache

    from harness_hf.batching import TokenBudget
    from harness_hf.decoder import Decoder
    from harness_hf.wanted import Input


def run_padded(decoder: Decoder, inputs: Sequence[Input], budget: TokenBudget) -> list[tuple[int, float]]:
    """The number of a row and a log-probability, for each lookup.

    Padding is on the right, where causal attention never looks, so that batching changes nothing but float noise.
    """
    shared = shared_length([one.ids for one in inputs], [one.first for one in inputs]) if decoder.shares else 0
    cache = decoder.remember(inputs[0].ids[:shared]) if shared else None
    found: list[tuple[int, float]] = []

    def forward(batch: Sequence[Input]) -> None:
        scores = _scores(decoder, batch, shared, cache and expanded(cache, len(batch)))
        found.extend(zip((lookup.row for one in batch for lookup in one.lookups), scores, strict=True))

    budget.run(inputs, lambda one: max(len(one.ids) - shared, len(one.ids) // CACHED_TOKENS if shared else 0), forward)
    return found


def _scores(decoder: Decoder, batch: Sequence[Input], shared: int, cache: DynamicCache | None) -> list[float]:
    """The log-probability of each lookup of each input, in a batch of one forward."""
    device = decoder.model.device
    longest = max(len(one.ids) for one in batch) - shared
    padded = [list(one.ids[shared:]) + [0] * (longest + shared - len(one.ids)) for one in batch]
    ids = on_device(padded, device)  # (B, L)
    wanted = [
        (number, lookup.place - shared, lookup.token) for number, one in enumerate(batch) for lookup in one.lookups
    ]
    places = sorted({(number, column) for number, column, _ in wanted})
    index = {place: at for at, place in enumerate(places)}
    rows, columns = torch.tensor(places, device=device).T  # (N,), (N,)
    at = torch.tensor([index[number, column] for number, column, _ in wanted], device=device)
    targets = torch.tensor([target for _, _, target in wanted], device=device)
    found = torch.empty(len(wanted), device=device)
    begin = 0
    for logits in decoder.logits(ids, rows, columns, cache=cache):  # (n, V)
        here = ((at >= begin) & (at < begin + len(logits))).nonzero()[:, 0]
        local = at[here] - begin
        found[here] = logits[local, targets[here]] - logits.logsumexp(-1)[local]
        begin += len(logits)
    real = sum(len(one.ids) - shared for one in batch)
    decoder.counters.add(forwarded=real, padded=ids.numel() - real)
    scores: list[float] = found.tolist()
    return scores
