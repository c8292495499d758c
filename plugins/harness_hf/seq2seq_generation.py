"""Generation of encoder-decoders: answers begin at one place, and are decoded together without any padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness_hf.batching import CACHED_TOKENS
from harness_hf.seq2seq_constraints import constrained, constraints
from harness_hf.stepping import BATCH_ROWS, SPARSE
from harness_hf.writing import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness_hf.batching import TokenBudget
    from harness_hf.seq2seq_model import EncoderDecoder, Read
    from harness_hf.writing import Answer


@torch.inference_mode()
def generate(
    model: EncoderDecoder, answers: Sequence[Answer], decode: Callable[[Sequence[int]], str], budget: TokenBudget
) -> None:
    """Fill in new tokens, text and finish of each answer.

    Args:
        model: the model.
        answers: to be filled in.
        decode: tokens -> text.
        budget: tokens in one forward.

    Raises:
        ModelError: when logits are not numbers, or memory does not suffice for a single answer.
    """
    asked = [one for one in answers if one.limit > 0]
    before = model.counters.forwarded

    def weight(one: Answer) -> int:
        light = max(budget.tokens // BATCH_ROWS, (len(one.ids) + one.limit) // CACHED_TOKENS)
        return light if model.pads else max(light, budget.tokens)

    def forward(batch: Sequence[Answer]) -> None:
        for one in batch:
            one.begin()
        _Batch(model, batch, decode).write(budget)

    budget.run(asked, weight, forward)
    alone = sum(len(one.ids) + len(one.new) for one in asked)
    model.counters.add(reused=max(0, alone - (model.counters.forwarded - before)))


class _Batch:
    """Answers that are written together; those that are finished stay until there are many of them."""

    def __init__(
        self, model: EncoderDecoder, answers: Sequence[Answer], decode: Callable[[Sequence[int]], str]
    ) -> None:
        self._model = model
        self._decode = decode
        self._going: list[Answer | None] = list(answers)
        self._sources = [one.ids for one in answers]
        config, device = model.model.generation_config, model.model.device
        self._constraints = {id(one): constraints(config, one, device) for one in answers}

    def write(self, budget: TokenBudget) -> None:
        read, outputs = self._read(budget)
        while tokens := self._take(outputs):
            going = [at for at, one in enumerate(self._going) if one is not None]
            if len(going) <= SPARSE * len(self._going):
                read, tokens = read.chosen(going), [tokens[at] for at in going]
                self._going = [self._going[at] for at in going]
            idle = sum(one is None for one in self._going)
            outputs = self._model.follow(read, [[token] for token in tokens], idle=idle)[:, 0]

    def _read(self, budget: TokenBudget) -> tuple[Read, Tensor]:
        """Read each distinct prompt once."""
        distinct = {source: at for at, source in enumerate(dict.fromkeys(self._sources))}
        read, outputs = self._model.read(self._model.encode(list(distinct), budget), self._model.begin)
        if len(distinct) == len(self._sources):
            return read, outputs
        rows = [distinct[source] for source in self._sources]
        return read.repeated(0, len(rows)) if len(distinct) == 1 else read.chosen(rows), outputs[rows]

    def _take(self, outputs: Tensor) -> list[int]:
        """Give each answer its next token; these, or nothing when all are finished."""
        logits = torch.cat([*self._model.project(outputs)])  # (B, V)
        tokens = [self._model.padding] * len(self._going)
        for at, one in enumerate(self._going):
            if one is not None:
                changed = constrained(self._constraints[id(one)], self._model.begin, one, logits[at])
                tokens[at] = choose(one, changed)
                if one.add(tokens[at], self._decode):
                    self._going[at] = None
        return tokens if any(one is not None for one in self._going) else []
