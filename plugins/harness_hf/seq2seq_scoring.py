"""Log-likelihoods of encoder-decoders: a prompt is read once, and what it leaves is not copied for continuations.

Prompts go through the encoder, and through the decoder's first token, in batches. What is left of them then goes on
either as many prompts with one continuation each, or as one prompt with many continuations: both are views.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness_hf.batching import CACHED_TOKENS
from harness_hf.prompts import Row
from harness_hf.stepping import BATCH_ROWS
from harness_hf.wanted import Input, inputs_of, log_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from harness_hf.batching import TokenBudget
    from harness_hf.seq2seq_model import EncoderDecoder, Read
    from harness_hf.wanted import Lookup

Scores = list[tuple[int, float]]
"""The number of a continuation and a log-probability, for each lookup."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A prompt, and what the decoder is to read after its first token.

    Attributes:
        source: tokens of the prompt.
        first: what is looked up after the first token.
        longer: inputs of more than that token, the longest first.
    """

    source: tuple[int, ...]
    first: list[Lookup]
    longer: list[Input]


@torch.inference_mode()
def score(
    model: EncoderDecoder, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], budget: TokenBudget
) -> list[float]:
    """The sum of the log-probabilities of each pair's target tokens, given its source.

    Args:
        model: the model.
        pairs: source and target, neither of them empty.
        budget: tokens in one forward.

    Raises:
        ModelError: when memory does not suffice for a single prompt or continuation.
    """
    before = model.counters.forwarded
    values: dict[int, float] = defaultdict(float)

    def weight(one: Tried) -> int:
        longest = len(one.longer[0].ids) if one.longer else 1
        light = max(longest, len(one.source) // CACHED_TOKENS, budget.tokens // BATCH_ROWS)
        return light if model.pads else max(light, budget.tokens)

    def forward(batch: Sequence[Tried]) -> None:
        for number, value in _scores(model, batch, budget):
            values[number] += value

    budget.run(_tried(model.start, pairs), weight, forward)
    asked = sum(len(source) + len(target) for source, target in pairs)
    model.counters.add(reused=max(0, asked - (model.counters.forwarded - before)))
    return [values[number] for number in range(len(pairs))]


def _tried(start: int, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[Tried]:
    """One for each distinct source."""
    numbers: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, (source, _) in enumerate(pairs):
        numbers[source].append(number)
    tried = []
    for source, own in numbers.items():
        inputs = folded(inputs_of([Row((start, *pairs[number][1]), 1) for number in own]))
        lookups = [lookup._replace(row=own[lookup.row]) for one in inputs for lookup in one.lookups]
        longer = [
            Input(one.ids[1:], [lookup._replace(row=own[lookup.row]) for lookup in one.lookups if lookup.place])
            for one in inputs
            if len(one.ids) > 1
        ]
        longer.sort(key=lambda one: -len(one.ids))
        tried.append(Tried(source, [lookup for lookup in lookups if not lookup.place], longer))
    return tried


def folded(inputs: Iterable[Input]) -> list[Input]:
    """Inputs with which another begins become part of that one: a decoder's states depend on what is before them."""
    kept: list[Input] = []
    for one in sorted(inputs, key=lambda one: one.ids, reverse=True):
        # Sorted: what begins with this one stands right before it.
        if kept and kept[-1].ids[: len(one.ids)] == one.ids:
            kept[-1].lookups.extend(one.lookups)
        else:
            kept.append(one)
    return kept


def _scores(model: EncoderDecoder, batch: Sequence[Tried], budget: TokenBudget) -> Scores:
    batch = sorted(batch, key=lambda one: -len(one.longer))
    read, outputs = model.read(model.encode([one.source for one in batch], budget), model.start)
    found = _looked_up(model, outputs, [(at, lookup) for at, one in enumerate(batch) for lookup in one.first])
    rounds = len(batch[0].longer)
    if len(batch) > 1 and len(batch) >= rounds:
        for number in range(rounds):
            inputs = [one.longer[number] for one in batch if len(one.longer) > number]
            found += _followed(model, read.first(len(inputs)), inputs)
        return found
    for at, one in enumerate(batch):

        def forward(inputs: Sequence[Input], at: int = at) -> None:
            found.extend(_followed(model, read.repeated(at, len(inputs)), inputs))

        budget.run(one.longer, lambda one: len(one.ids), forward)
    return found


def _followed(model: EncoderDecoder, read: Read, inputs: Sequence[Input]) -> Scores:
    """One input a row, after the first token."""
    outputs = model.follow(read, [one.ids for one in inputs])  # (B, L, .)
    wanted = [(at, lookup) for at, one in enumerate(inputs) for lookup in one.lookups]
    places = list(dict.fromkeys((at, lookup.place - 1) for at, lookup in wanted))
    index = {place: number for number, place in enumerate(places)}
    rows, columns = torch.tensor(places, device=outputs.device).T
    return _looked_up(model, outputs[rows, columns], [(index[at, lookup.place - 1], lookup) for at, lookup in wanted])


def _looked_up(model: EncoderDecoder, outputs: Tensor, wanted: Sequence[tuple[int, Lookup]]) -> Scores:
    """Look tokens up in the distributions that outputs (N, .) make."""
    found = log_probabilities(model.project(outputs), [(number, lookup.token) for number, lookup in wanted])
    return list(zip((lookup.row for _, lookup in wanted), found, strict=True))
