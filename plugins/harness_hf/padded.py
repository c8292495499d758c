"""Rows in padded batches, with the prefix that a call has in common run once: for models that can't run a trie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness_hf.batching import CACHED_TOKENS
from harness_hf.decoder import expanded
from harness_hf.sharing import shared_length
from harness_hf.transfer import on_device
from harness_hf.wanted import log_probabilities

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
        ((number, lookup.place - shared), lookup.token) for number, one in enumerate(batch) for lookup in one.lookups
    ]
    index = {place: at for at, place in enumerate(dict.fromkeys(place for place, _ in wanted))}
    rows, columns = torch.tensor(list(index), device=device).T  # (N,), (N,)
    logits = decoder.logits(ids, rows, columns, cache=cache)
    scores = log_probabilities(logits, [(index[place], token) for place, token in wanted])
    real = sum(len(one.ids) - shared for one in batch)
    decoder.counters.add(forwarded=real, padded=ids.numel() - real)
    return scores
