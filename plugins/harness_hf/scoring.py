"""Log-likelihoods: rows -> the tokens that are scored, each looked up in the distribution at the place before it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch

from harness_hf.padded import run_padded
from harness_hf.shared import run_shared
from harness_hf.wanted import inputs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_hf.batching import TokenBudget
    from harness_hf.decoder import Decoder
    from harness_hf.prefixes import Prefixes
    from harness_hf.prompts import Row


@torch.inference_mode()
def score(
    decoder: Decoder,
    rows: Sequence[Row],
    budget: TokenBudget,
    prefixes: Prefixes | None,
    likeliest: Sequence[int] = (),
) -> list[float]:
    """The sum of the log-probabilities of each row's scored tokens.

    Rows that the model's attention allows it to share run as a trie (`harness_hf.shared`), others padded and batched.

    Args:
        decoder: the model.
        rows: token ids, of which the last ones are scored.
        budget: tokens in one forward.
        prefixes: what earlier calls have left; None for a call that shall neither take nor leave anything.
        likeliest: numbers of rows.

    Returns:
        One sum a row, and behind them one for each of `likeliest`: of the likeliest tokens in the scored ones' places.
    """
    inputs = inputs_of(rows, likeliest)
    shared = [one for one in inputs if decoder.cascades(len(one.ids))]
    padded = [one for one in inputs if not decoder.cascades(len(one.ids))]
    before = decoder.counters.forwarded
    values: dict[int, float] = defaultdict(float)
    for row, log_prob in (*run_shared(decoder, shared, budget, prefixes), *run_padded(decoder, padded, budget)):
        values[row] += log_prob
    asked = sum(len(row.ids) - 1 for row in rows)
    decoder.counters.add(reused=max(0, asked - (decoder.counters.forwarded - before)))
    return [values[number] for number in range(len(rows) + len(likeliest))]
