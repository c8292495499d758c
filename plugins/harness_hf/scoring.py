"""Log-likelihoods: the prefix that a call has in common runs once, equal inputs run once, logits only where scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from harness_hf.batching import CACHED_TOKENS, TokenBudget
from harness_hf.decoder import Decoder, expanded
from harness_hf.sharing import shared_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import DynamicCache

    from harness_hf.prompts import Row


@dataclass(frozen=True, slots=True)
class _Input:
    """Tokens to run, and what to look up: (place of the logits, target token, number of the row it counts for)."""

    ids: tuple[int, ...]
    wanted: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The first place whose logits are needed."""
        return min(place for place, _, _ in self.wanted)


@torch.inference_mode()
def score(decoder: Decoder, rows: Sequence[Row], budget: TokenBudget) -> list[float]:
    """The sum of the log-probabilities of each row's scored tokens.

    Rows are padded on the right, where causal attention never looks, so that batching changes nothing but float noise.
    """
    inputs = _inputs(rows)
    shared = shared_length([one.ids for one in inputs], [one.first for one in inputs]) if decoder.shares else 0
    cache = decoder.remember(inputs[0].ids[:shared]) if shared else None
    values = [0.0] * len(rows)

    def forward(batch: Sequence[_Input]) -> None:
        found = _token_scores(decoder, batch, shared, cache and expanded(cache, len(batch)))
        for one, scores in zip(batch, found, strict=True):
            for (_, _, row), log_prob in zip(one.wanted, scores, strict=True):
                values[row] += log_prob

    budget.run(inputs, lambda one: max(len(one.ids) - shared, len(one.ids) // CACHED_TOKENS if shared else 0), forward)
    return values


def _inputs(rows: Sequence[Row]) -> list[_Input]:
    """One input for all rows that read the same tokens: several continuations of one token are one input."""
    found: dict[tuple[int, ...], _Input] = {}
    for number, row in enumerate(rows):
        one = found.setdefault(row.ids[:-1], _Input(row.ids[:-1]))
        one.wanted.extend((place - 1, row.ids[place], number) for place in range(row.start, len(row.ids)))
    return list(found.values())


def _token_scores(
    decoder: Decoder, batch: Sequence[_Input], shared: int, cache: DynamicCache | None
) -> list[list[float]]:
    """The log-probability of each wanted token of each input, in a batch of one forward."""
    device = decoder.model.device
    longest = max(len(one.ids) for one in batch) - shared
    padded = [list(one.ids[shared:]) + [0] * (longest + shared - len(one.ids)) for one in batch]
    ids = torch.tensor(padded, device=device)  # (B, L)
    wanted = [(number, place - shared, target) for number, one in enumerate(batch) for place, target, _ in one.wanted]
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
    scores = iter(found.tolist())
    return [[next(scores) for _ in one.wanted] for one in batch]
